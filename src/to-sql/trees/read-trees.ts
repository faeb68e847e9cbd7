import { unsupported } from '../operator.ts';
import type { OperatorCall } from '../operator.ts';
import { NativeRefusal } from '../refusal.ts';
import type { Leaf, Mode, Tree } from './tree.ts';

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
