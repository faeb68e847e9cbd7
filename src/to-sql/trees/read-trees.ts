import { unsupported, type OperatorCall } from '../operator.ts';
import { NativeRefusal } from '../term.ts';
import { ATTRIBUTE } from '../../onnx/layout.ts';
import type { GraphNode } from '../../onnx/outline.ts';
import { Fields, LENGTH, VARINT, packedIntegers } from '../../onnx/wire.ts';

/** Nested deeper, a CASE comes near the depth at which PostgreSQL gives up on a statement. */
const MAX_DEPTH = 200;

/** The node arrays of an ensemble, one element a node. */
type Nodes = {
  readonly modes: readonly string[];
  readonly columns: readonly number[];
  readonly thresholds: readonly number[];
  readonly missing: readonly number[];
  readonly passed: readonly (number | undefined)[];
  readonly failed: readonly (number | undefined)[];
  readonly leaves: readonly Map<number, number>[];
  readonly seen: Set<number>;
};

/** The trees of a TreeEnsembleClassifier (`class`) or TreeEnsembleRegressor (`target`), in their order. */
export function readTrees(call: OperatorCall, of: 'class' | 'target'): Tree[] {
  const { attributes } = call;
  const trees = attributes.integers('nodes_treeids');
  const numbers = attributes.integers('nodes_nodeids');
  const positions = new Map(trees.map((tree, index) => [`${tree}:${numbers[index]}`, index]));
  const found = (name: string) =>
    attributes.integers(name).map((number, index) => positions.get(`${trees[index]}:${number}`));
  const nodes = {
    modes: attributes.texts('nodes_modes'),
    columns: attributes.integers('nodes_featureids'),
    thresholds: realNumbers(call, 'nodes_values'),
    missing: attributes.integers('nodes_missing_value_tracks_true'),
    passed: found('nodes_truenodeids'),
    failed: found('nodes_falsenodeids'),
    leaves: readLeaves(call, of, positions, trees.length),
    seen: new Set<number>(),
  };
  return rootsOf(trees, nodes).map((root) => readTree(call, nodes, root, 0));
}

/** An ensemble of doubles keeps its numbers in a tensor. */
export function realNumbers({ attributes }: OperatorCall, name: string): number[] {
  const tensor = attributes.tensor(`${name}_as_tensor`);
  return tensor === undefined ? attributes.floats(name) : tensor.cells.map((cell) => Number(cell.constant));
}

function readLeaves(call: OperatorCall, of: string, positions: ReadonlyMap<string, number>, nodes: number) {
  const { attributes } = call;
  const leaves = Array.from({ length: nodes }, () => new Map<number, number>());
  const trees = attributes.integers(`${of}_treeids`);
  const numbers = attributes.integers(`${of}_nodeids`);
  const targets = attributes.integers(`${of}_ids`);
  realNumbers(call, `${of}_weights`).forEach((weight, index) => {
    const leaf = leaves[positions.get(`${trees[index]}:${numbers[index]}`) ?? -1];
    const target = targets[index] ?? 0;
    leaf?.set(target, (leaf.get(target) ?? 0) + weight);
  });
  return leaves;
}

/** The node of a tree that no other node leads to. */
function rootsOf(trees: readonly number[], { modes, passed, failed }: Nodes): number[] {
  const below = new Set<number | undefined>();
  modes.forEach((mode, index) => {
    if (mode !== 'LEAF') below.add(passed[index]).add(failed[index]);
  });
  const roots = new Map<number, number>();
  trees.forEach((tree, index) => {
    if (!below.has(index) && !roots.has(tree)) roots.set(tree, index);
  });
  return [...roots.values()];
}

function readTree(call: OperatorCall, nodes: Nodes, index: number, depth: number): Tree {
  // A hundred nodes that each lead to the next twice would come to 2^100 branches.
  if (nodes.seen.has(index)) throw unsupported(call, 'with a node that two others lead to');
  nodes.seen.add(index);
  if (depth > MAX_DEPTH) throw new NativeRefusal(`a tree is more than ${MAX_DEPTH} levels deep`);
  const mode = nodes.modes[index];
  if (mode === 'LEAF') return { weights: nodes.leaves[index] ?? new Map() } satisfies Leaf;
  const [passed, failed] = [nodes.passed[index], nodes.failed[index]];
  if (mode === undefined || passed === undefined || failed === undefined)
    throw unsupported(call, 'with a node that leads nowhere');
  if (!MODES.has(mode)) throw unsupported(call, `with nodes ${mode}`);
  return {
    mode: mode as Mode,
    column: nodes.columns[index] ?? 0,
    threshold: nodes.thresholds[index] ?? 0,
    missingPasses: nodes.missing[index] === 1,
    passed: readTree(call, nodes, passed, depth + 1),
    failed: readTree(call, nodes, failed, depth + 1),
  };
}

const MODES = new Set<string>([
  'BRANCH_LEQ',
  'BRANCH_LT',
  'BRANCH_GTE',
  'BRANCH_GT',
  'BRANCH_EQ',
  'BRANCH_NEQ',
] satisfies Mode[]);

/** A node of a decision tree: a test of one column, or what the tree says. */
export type Tree = Branch | Leaf;

export type Mode = 'BRANCH_LEQ' | 'BRANCH_LT' | 'BRANCH_GTE' | 'BRANCH_GT' | 'BRANCH_EQ' | 'BRANCH_NEQ';

export type Branch = {
  readonly mode: Mode;
  readonly column: number;
  readonly threshold: number;
  /** Whether NaN passes the test. */
  readonly missingPasses: boolean;
  readonly passed: Tree;
  readonly failed: Tree;
};

/** Weights of targets (or classes); those that are not named get nothing. */
export type Leaf = { readonly weights: ReadonlyMap<number, number> };

export function isLeaf(tree: Tree): tree is Leaf {
  return 'weights' in tree;
}

export function leavesOf(tree: Tree): Leaf[] {
  return isLeaf(tree) ? [tree] : [...leavesOf(tree.passed), ...leavesOf(tree.failed)];
}

/** Tree nodes that a function may have: see docs/explanation/native.md for what they cost. */
const MAX_TREE_NODES = 20_000;

/**
 * Counts the nodes of an ensemble without decoding it, which takes 740 MB for a million of them.
 * @throws NativeRefusal for more than a function may have
 */
export function checkTreeSize(node: GraphNode): void {
  const span = node.attributes.get('nodes_treeids') ?? node.attributes.get('nodes_featureids');
  if (span === undefined) return;
  let count = 0;
  const fields = new Fields(span);
  while (fields.next()) {
    if (fields.number !== ATTRIBUTE.integers) continue;
    if (fields.wire === VARINT) count += 1;
    if (fields.wire === LENGTH) count += packedIntegers(fields.span()).length;
  }
  if (count > MAX_TREE_NODES)
    throw new NativeRefusal(
      `${grouped(count)} tree nodes are more than the ${grouped(MAX_TREE_NODES)} that a function may have`,
    );
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

/** Bits of a double's fraction: whole numbers up to this power of two add up without being rounded. */
const EXACT_BITS = 52;
/** The share that may be lost: a quarter of what float32 loses. */
const MOST_LOST = 2 ** -26;

/**
 * How to round the weights of some trees for one target so that doubles add them up to the same sum in any order: to
 * multiples of one power of two that is 2^-52 of the largest sum there can be. Undefined where that could be seen, as some
 * weights are so much larger than others, and where a weight is not finite.
 */
export function addable(trees: readonly Tree[], target: number): ((weight: number) => number) | undefined {
  const weights = trees.map((tree) => leavesOf(tree).map((leaf) => leaf.weights.get(target) ?? 0));
  const most = total(weights, (tree) => Math.max(...tree.map(Math.abs)));
  if (!Number.isFinite(most)) return undefined;
  const unit = Math.max(2 ** (Math.ceil(Math.log2(most)) - EXACT_BITS), Number.MIN_VALUE);
  // Not -0, which is not what 0 and -0 add up to.
  const rounded = (weight: number): number => Math.round(weight / unit) * unit + 0;
  const lost = (weight: number): number => Math.abs(rounded(weight) - weight);
  const ofEach = weights.flat().every((weight) => lost(weight) <= MOST_LOST * Math.abs(weight));
  // What a row may lose, beside the least that the leaves of any row come to.
  const ofRow = total(weights, (tree) => Math.max(...tree.map(lost)));
  const isUnseen = ofEach || ofRow <= MOST_LOST * total(weights, (tree) => Math.min(...tree.map(Math.abs)));
  return isUnseen ? rounded : undefined;
}

function total(weights: readonly number[][], ofTree: (weights: readonly number[]) => number): number {
  return weights.reduce((sum, tree) => sum + ofTree(tree), 0);
}
