import { labelsAttribute } from '../../onnx/attributes.ts';
import type { Graph, RunInput, RunOutput } from '../graph.ts';
import { producerBehind, type GraphNode, type Outline } from '../../onnx/outline.ts';
import { neededOutputs } from '../outputs.ts';
import type { ModelInput, Signature } from '../signature.ts';
import { readEnsemble, type Ensemble } from './ensemble.ts';
import { finishOf, type Finish } from './post-transform.ts';
import { nodeTable, type NodeTable } from './node-table.ts';
import { walkTrees } from './tree-machine.ts';

const STRAIGHT = new Set(['Identity']);
/** A label that is cast is written the same, or the comparison with ONNX Runtime finds it. */
const RENAMED = new Set(['Identity', 'Cast']);
/** The output that counts of each operator: a classifier gives labels first. */
const OUTPUT: Readonly<Record<string, number>> = { TreeEnsembleClassifier: 1, TreeEnsembleRegressor: 0 };

/** A model that is an ensemble of trees over one matrix of float32, computed here: five times as fast as in ONNX Runtime for 100 trees of depth 6, one to two for 40 small ones. */
export class TreeGraph implements Graph {
  readonly isRowWise = true;
  readonly tolerance: number;
  readonly input: ModelInput;
  readonly table: NodeTable;
  readonly #output: string;
  readonly #label: OwnLabel | undefined;
  readonly #finish: Finish;

  private constructor(input: ModelInput, { output, label, finish }: Made, ensemble: Ensemble) {
    this.tolerance = finish.tolerance;
    this.input = input;
    this.#output = output;
    this.#label = label;
    this.table = nodeTable(ensemble, input.width);
    this.#finish = finish;
  }

  /** Undefined for any other model. Whether its answers are those of ONNX Runtime is for the caller to see. */
  static of(outline: Outline, signature: Signature): TreeGraph | undefined {
    const [input, ...others] = signature.inputs;
    const [output, labelOutput] = neededOutputs(signature);
    if (input === undefined || output === undefined || others.length > 0 || input.type !== 'float32') return undefined;
    const node = ensembleBehind(outline, input, output);
    const finish = node === undefined ? undefined : finishOf(node);
    if (node === undefined || finish === undefined) return undefined;
    const label = labelOutput === undefined ? undefined : ownLabel(outline, node, finish, labelOutput);
    if (labelOutput !== undefined && label === undefined) return undefined;
    const ensemble = readEnsemble(node, input.width, finish.weights);
    return ensemble === undefined ? undefined : new TreeGraph(input, { output, label, finish }, ensemble);
  }

  // oxlint-disable-next-line require-await -- what it throws is to reject
  async run(inputs: readonly RunInput[], rows: number): Promise<RunOutput[]> {
    return this.runSync(inputs, rows);
  }

  runSync([input]: readonly RunInput[], rows: number): RunOutput[] {
    const sums = walkTrees(this.table, input?.data as Float32Array, rows);
    // Before the sums are written over.
    const labels = this.#label === undefined ? [] : [labelled(this.#label, sums, rows)];
    const data = this.#finish.write(sums, rows, this.table.trees.length);
    return [{ name: this.#output, type: 'float32', dims: [rows, this.#finish.width], data }, ...labels];
  }

  release(): Promise<void> {
    return Promise.resolve();
  }
}

type Made = { readonly output: string; readonly label: OwnLabel | undefined; readonly finish: Finish };

/** The label that the model returns for one of two classes. */
type OwnLabel = { readonly name: string; readonly classes: readonly string[] } & NonNullable<Finish['second']>;

/** Undefined where the output is not that of the ensemble as it is. */
function ownLabel(outline: Outline, node: GraphNode, { second }: Finish, name: string): OwnLabel | undefined {
  const isDirect = node.op === 'TreeEnsembleClassifier' && leadsTo(outline, node.outputs[0] ?? '', name, RENAMED);
  if (second === undefined || !isDirect) return undefined;
  return { name, classes: labelsAttribute(node, 'classlabels_strings', 'classlabels_int64s'), ...second };
}

function labelled({ name, classes, base, limit }: OwnLabel, sums: Float32Array, rows: number): RunOutput {
  const width = sums.length / rows;
  const [first = '', second = ''] = classes;
  const data: string[] = [];
  for (let row = 0; row < rows; row += 1)
    data.push(Math.fround((sums[(row + 1) * width - 1] ?? 0) + base) > limit ? second : first);
  return { name, type: 'string', dims: [rows], data };
}

/** The ensemble that reads the input as it is and whose output is that of the graph. */
function ensembleBehind(outline: Outline, input: ModelInput, output: string): GraphNode | undefined {
  const node = producerBehind(outline, output, STRAIGHT);
  if (node === undefined || node.domain !== 'ai.onnx.ml' || !(node.op in OUTPUT)) return undefined;
  const made = node.outputs[OUTPUT[node.op] ?? 0] ?? '';
  const [read = ''] = node.inputs;
  const isInput = read === input.name || producerBehind(outline, read, STRAIGHT) === undefined;
  return isInput && leadsTo(outline, made, output) ? node : undefined;
}

function leadsTo(outline: Outline, made: string, output: string, through = STRAIGHT): boolean {
  let name = output;
  while (name !== made) {
    const node = outline.nodes.find(({ outputs }) => outputs.includes(name));
    if (node === undefined || !through.has(node.op)) return false;
    name = node.inputs[0] ?? '';
  }
  return true;
}
