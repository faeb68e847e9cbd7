import { previousFloat } from '../../lib/float32.ts';
import { floatsOf, integersOf, textsOf } from '../../onnx/attributes.ts';
import type { GraphNode } from '../../onnx/outline.ts';

/** Nodes that an ensemble may have to be walked here, and weights of them: from there on, 6 MB, memory is what takes the time, here as in ONNX Runtime. */
const MOST_NODES = 100_000;
const MOST_WEIGHTS = 1_000_000;
/** Columns and sums of a row: what is walked at once takes 2 KB for each. */
const MOST_COLUMNS = 10_000;
const MOST_SUMS = 1000;

/** A test: a row goes on to `low` where its column is at most the threshold, or is NaN and `missingIsLow`; else to `high`. */
export type Branch = {
  readonly column: number;
  readonly threshold: number;
  readonly missingIsLow: boolean;
  readonly low: number;
  readonly high: number;
};

/** The nodes of an ensemble by their number: tests, or the weights that a leaf adds to each sum. */
export type Ensemble = {
  readonly roots: readonly number[];
  readonly branches: readonly (Branch | undefined)[];
  /** [nodes, sums], row-major. */
  readonly weights: Float32Array;
  readonly sums: number;
};

/** Where the weights of the leaves stand: those of a classifier, or of a regressor. */
export type Weights = { readonly of: 'class' | 'target'; readonly sums: number };

/** The trees of a node, or undefined where they are of a kind, or of a size, that is not walked here. */
export function readEnsemble(node: GraphNode, columns: number, { of, sums }: Weights): Ensemble | undefined {
  if (columns > MOST_COLUMNS || sums > MOST_SUMS) return undefined;
  const trees = integersOf(node, 'nodes_treeids');
  if (trees.length === 0 || trees.length > MOST_NODES || trees.length * sums > MOST_WEIGHTS) return undefined;
  const indexes = new NodeIndexes(trees, integersOf(node, 'nodes_nodeids'));
  const branches = readBranches(node, trees, indexes);
  if (branches === undefined) return undefined;
  const weights = readWeights(node, of, sums, indexes, branches);
  if (weights === undefined) return undefined;
  if (branches.some((branch) => branch !== undefined && branch.column >= columns)) return undefined;
  const roots = rootsOf(trees, branches);
  return roots.length === new Set(trees).size && areTrees(roots, branches)
    ? { roots, branches, weights, sums }
    : undefined;
}

/** Where the nodes of each tree stand, by their numbers in it. */
class NodeIndexes {
  readonly #trees = new Map<number, Map<number, number>>();

  constructor(trees: readonly number[], nodes: readonly number[]) {
    for (const [index, tree] of trees.entries()) {
      const own = this.#trees.get(tree) ?? new Map<number, number>();
      this.#trees.set(tree, own.set(nodes[index] ?? -1, index));
    }
  }

  of(tree: number | undefined, node: number | undefined): number {
    return this.#trees.get(tree ?? -1)?.get(node ?? -1) ?? -1;
  }
}

/** The test of each node, none for a leaf; undefined where one is of a kind that is not walked here. */
function readBranches(
  node: GraphNode,
  trees: readonly number[],
  indexes: NodeIndexes,
): (Branch | undefined)[] | undefined {
  const modes = textsOf(node, 'nodes_modes');
  const columns = integersOf(node, 'nodes_featureids');
  const thresholds = floatsOf(node, 'nodes_values');
  const missing = integersOf(node, 'nodes_missing_value_tracks_true');
  const [passed, failed] = [integersOf(node, 'nodes_truenodeids'), integersOf(node, 'nodes_falsenodeids')];
  const branches: (Branch | undefined)[] = [];
  for (const [index, tree] of trees.entries()) {
    const make = MODES[modes[index] ?? ''];
    if (make === undefined) return undefined;
    const test = {
      column: columns[index] ?? -1,
      threshold: thresholds[index] ?? Number.NaN,
      missing: missing[index] === 1,
      passed: indexes.of(tree, passed[index]),
      failed: indexes.of(tree, failed[index]),
    };
    if (make !== LEAF && !isSound(test)) return undefined;
    branches.push(make(test));
  }
  return branches;
}

type Test = {
  readonly column: number;
  readonly threshold: number;
  readonly missing: boolean;
  readonly passed: number;
  readonly failed: number;
};

/** Whether a test leads on, and has a threshold that all numbers compare with: none is before -Infinity. */
function isSound({ column, threshold, passed, failed }: Test): boolean {
  return column >= 0 && threshold > Number.NEGATIVE_INFINITY && passed >= 0 && failed >= 0;
}

/** x < t is x <= the float before t; x > t and x >= t are those, with their sides exchanged. */
const LEAF = (): undefined => undefined;
const MODES: Readonly<Record<string, (test: Test) => Branch | undefined>> = {
  LEAF,
  BRANCH_LEQ: (test) => passesLow(test, test.threshold),
  BRANCH_LT: (test) => passesLow(test, previousFloat(test.threshold)),
  BRANCH_GT: (test) => passesHigh(test, test.threshold),
  BRANCH_GTE: (test) => passesHigh(test, previousFloat(test.threshold)),
};

function passesLow({ column, missing, passed, failed }: Test, threshold: number): Branch {
  return { column, threshold, missingIsLow: missing, low: passed, high: failed };
}

function passesHigh({ column, missing, passed, failed }: Test, threshold: number): Branch {
  return { column, threshold, missingIsLow: !missing, low: failed, high: passed };
}

/**
 * Undefined where a leaf has none, or two for one sum, or where a test has one: what ONNX Runtime makes of those is its leaf,
 * and a leaf that few rows come by may be one that no row of a comparison does.
 */
function readWeights(
  node: GraphNode,
  of: Weights['of'],
  sums: number,
  indexes: NodeIndexes,
  branches: readonly (Branch | undefined)[],
): Float32Array | undefined {
  const weights = new Float32Array(branches.length * sums);
  const given = new Uint8Array(weights.length);
  const heavy = new Uint8Array(branches.length);
  const [trees, numbers] = [integersOf(node, `${of}_treeids`), integersOf(node, `${of}_nodeids`)];
  const targets = integersOf(node, `${of}_ids`);
  for (const [index, weight] of floatsOf(node, `${of}_weights`).entries()) {
    const leaf = indexes.of(trees[index], numbers[index]);
    const target = targets[index] ?? -1;
    if (leaf < 0 || branches[leaf] !== undefined || target < 0 || target >= sums) return undefined;
    const at = leaf * sums + target;
    if (given[at] === 1) return undefined;
    given[at] = heavy[leaf] = 1;
    weights[at] = weight;
  }
  return branches.every((branch, index) => branch !== undefined || heavy[index] === 1) ? weights : undefined;
}

/** The first node of each tree that no other leads to. */
function rootsOf(trees: readonly number[], branches: readonly (Branch | undefined)[]): number[] {
  const below = new Uint8Array(branches.length);
  for (const branch of branches) if (branch !== undefined) below[branch.low] = below[branch.high] = 1;
  const roots = new Map<number, number>();
  for (const [index, tree] of trees.entries()) if (below[index] === 0 && !roots.has(tree)) roots.set(tree, index);
  return [...roots.values()];
}

/** Whether every node is come by, from one other at most: what leads back would be walked for ever, by ONNX Runtime too. */
function areTrees(roots: readonly number[], branches: readonly (Branch | undefined)[]): boolean {
  const seen = new Uint8Array(branches.length);
  const waiting = [...roots];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (seen[node] === 1) return false;
    seen[node] = 1;
    const branch = branches[node];
    if (branch !== undefined) waiting.push(branch.low, branch.high);
  }
  return !seen.includes(0);
}
