import { type GraphNode, type Outline, readOutline } from '../onnx/outline.ts';
import { isStandardDomain } from '../onnx/operators.ts';
import type { Signature } from '../inference/signature.ts';
import { answersOf, type Answers } from './answers.ts';
import { graphConstants, nodeConstant, NodeAttributes } from './node-attributes.ts';
import { CriticalValues } from './critical-values.ts';
import { featureTerms, kindOf } from './features.ts';
import { OPERATORS } from './operators/all.ts';
import { NativeRefusal } from './literal.ts';
import { perRow, type Tensor } from './tensor.ts';
import type { Term } from './term.ts';
import { checkTreeSize } from './trees/read-trees.ts';

/** A model as terms over its features: what `renderNative` writes as SQL. */
export type NativeProgram = { readonly answers: Answers; readonly critical: CriticalValues };

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
