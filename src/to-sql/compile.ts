import type { Task } from '../lib/work-time.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Signature } from '../inference/signature.ts';
import { NativeRefusal, type Term } from './term.ts';
import { renderNative, type NativeBody } from './render.ts';
import { rowsToProve } from './proof-rows.ts';
import { type GraphNode, type Outline, readOutline } from '../onnx/outline.ts';
import { isStandardDomain } from '../onnx/operators.ts';
import { answersOf, type NativeProgram } from './answers.ts';
import { graphConstants, nodeConstant, NodeAttributes, type Operators } from './operator.ts';
import { CriticalValues } from './critical-values.ts';
import { featureTerms, kindOf } from './features.ts';
import { perRow, type Tensor } from './tensor.ts';
import { checkTreeSize } from './trees/read-trees.ts';
import { activations } from './operators/activations.ts';
import { arithmetic } from './operators/arithmetic.ts';
import { columnOperators } from './operators/columns.ts';
import { encoders } from './operators/encoders.ts';
import { linear } from './operators/linear.ts';
import { logic } from './operators/logic.ts';
import { scaling } from './operators/scaling.ts';
import { reductions } from './operators/reductions.ts';
import { shapes } from './operators/shapes.ts';
import { treeEnsembles } from './operators/tree-ensembles.ts';

/** The graph to serve, and rows that came with the framework's predictions, by the names of the features. */
export type ToCompile = {
  readonly bytes: Uint8Array;
  readonly signature: Signature;
  readonly given: readonly JsonRow[];
};

/**
 * The bodies of a version's functions, whose arguments are $1, $2, … in the order of the features; or why it has none, and
 * whether another try may do better.
 */
export type Compiled =
  | { readonly bodies: Partial<Record<Part, NativeBody>> }
  | { readonly refusal: string; readonly transient?: boolean };

/** The thread that compiles; the rows to prove the functions on, then what they are, or why there are none. */
export type CompileStep = { readonly task: Task } | { readonly rows: readonly JsonRow[] } | Compiled;

/** A function takes a hundred arguments at most. */
const MOST_FEATURES = 100;

/** Compiles a version. The rows are given as soon as they are known: they can be scored while its functions are written. */
export function* compiled({ bytes, signature, given }: ToCompile): Generator<Exclude<CompileStep, { task: Task }>> {
  const { length } = signature.features;
  if (signature.valueNames !== undefined) {
    yield { refusal: `a model of several values a row (${signature.task}) is not compiled` };
    return;
  }
  if (length > MOST_FEATURES) {
    yield { refusal: `${length} features are more than the ${MOST_FEATURES} arguments that a function may have` };
    return;
  }
  try {
    const program = compileNative(bytes, signature);
    yield { rows: rowsToProve(program, signature, given) };
    const body = (part: Part): NativeBody => renderNative(program, part, (feature) => `$${feature + 1}`);
    yield { bodies: Object.fromEntries(partsOf(signature).map((part) => [part, body(part)])) };
  } catch (error) {
    if (!(error instanceof NativeRefusal)) throw error;
    yield { refusal: error.message };
  }
}

/** What a compiled function may answer: a double precision, the index of a class label, an array of probabilities. */
export type Part = 'score' | 'label' | 'probabilities';

/** What of a version is compiled. Label and probabilities of a binary model follow from its score. */
function partsOf({ task, outputs }: Signature): Part[] {
  if (task === 'regression') return ['score'];
  if (outputs.probabilities === undefined) return ['label'];
  return task === 'binary' ? ['score'] : ['label', 'probabilities'];
}

/** Operators of the graph, other than constants, which may each build on the one before. */
const MAX_NODES = 1000;
/** Products with a weight in a row, at 18 ns each. With more, a statement of one row takes several times as long as an online call. */
const MAX_PRODUCTS = 5000;
/** Weights of a network past this are no thousand operations a row any more, but millions. */
const MAX_WEIGHTS_BYTES = 1_000_000;

/**
 * Compiles the served bytes of a version, which passed the gate and hold no ZipMap.
 * @throws NativeRefusal with the reason, for a model that is not to be compiled
 */
export function compileNative(bytes: Uint8Array, signature: Signature): NativeProgram {
  if (signature.outputs.margins !== undefined) {
    throw new NativeRefusal('a model without probabilities is not compiled');
  }
  const outline = readOutline(bytes);
  const nodes = neededNodes(outline, outputsRead(signature));
  if (nodes.length > MAX_NODES) {
    throw new NativeRefusal(`${nodes.length} operators are more than the ${MAX_NODES} that a function may have`);
  }
  nodes.forEach(checkNode);
  const graph = new Compilation(outline, signature);
  nodes.forEach((node) => graph.compile(node));
  return { answers: answersOf(signature, (name) => graph.tensor(name), graph.demands), critical: graph.critical };
}

/** Of a model that gives probabilities, labels follow from them. */
function outputsRead({ outputs: { value, probabilities, label } }: Signature): string[] {
  const read = value ?? probabilities ?? label;
  return read === undefined ? [] : [read.name];
}

/** The nodes that the outputs depend on, in the order of the file, which is one of computing them. */
function neededNodes({ nodes }: Outline, outputs: readonly string[]): GraphNode[] {
  const names = new Set(outputs);
  const needed: GraphNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => names.has(name))) continue;
    needed.push(node);
    for (const name of [...node.inputs, ...node.captured]) names.add(name);
  }
  return needed.toReversed();
}

function checkNode(node: GraphNode): void {
  const { op, domain } = node;
  if (!isStandardDomain(domain)) throw new NativeRefusal(`operator ${op} of domain ${domain} is not compiled`);
  if (op !== 'Constant' && !Object.hasOwn(OPERATORS, op)) throw new NativeRefusal(`operator ${op} is not compiled`);
  if (op.startsWith('TreeEnsemble')) checkTreeSize(node);
}

class Compilation {
  readonly critical = new CriticalValues();
  readonly demands: Term[] = [];
  #products = 0;
  readonly #opset: Outline['opset'];
  readonly #tensors: Map<string, Tensor>;

  constructor(outline: Outline, signature: Signature) {
    this.#opset = outline.opset;
    this.#tensors = graphConstants(outline, MAX_WEIGHTS_BYTES);
    inputTensors(signature).forEach((tensor, name) => this.#tensors.set(name, tensor));
  }

  tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new NativeRefusal(`the graph reads '${name}', which nothing makes`);
    return tensor;
  }

  #spend(products: number): void {
    this.#products += products;
    if (this.#products <= MAX_PRODUCTS) return;
    const [count, most] = [this.#products, MAX_PRODUCTS].map((number) => number.toLocaleString('en-US'));
    throw new NativeRefusal(`${count} products with weights in a row are more than the ${most} that pay`);
  }

  compile(node: GraphNode): void {
    const { op, outputs, inputs } = node;
    const attributes = new NodeAttributes(node);
    const call = {
      op,
      attributes,
      inputs: inputs.map((name) => (name === '' ? undefined : this.tensor(name))),
      opset: this.#opset[node.domain] ?? 1,
      critical: this.critical,
      spend: (products: number) => this.#spend(products),
      demand: (condition: Term) => this.demands.push(condition),
    };
    const made = op === 'Constant' ? [nodeConstant(attributes)] : OPERATORS[op]?.(call);
    made?.forEach((tensor, index) => this.#tensors.set(outputs[index] ?? '', tensor));
  }
}

function inputTensors({ inputs, features }: Signature): Map<string, Tensor> {
  return new Map(
    inputs.map(({ name, type, width, shape }) => {
      const own = features.flatMap((feature, index) => (feature.input === name ? [{ feature, index }] : []));
      const cells = own
        .toSorted((a, b) => a.feature.position - b.feature.position)
        .flatMap(({ feature, index }) => featureTerms(feature, index));
      return [
        name,
        perRow(
          kindOf(type),
          shape.slice(1).map((size) => size ?? width),
          cells,
        ),
      ];
    }),
  );
}

/** Every operator that is compiled, by its name: the two domains of ONNX share none. */
const OPERATORS: Operators = {
  ...activations,
  ...arithmetic,
  ...columnOperators,
  ...encoders,
  ...linear,
  ...logic,
  ...reductions,
  ...scaling,
  ...shapes,
  ...treeEnsembles,
};
