import { untypedNumber, type Term } from '../term.ts';
import { isLeaf, type Branch, type Leaf, type Tree } from './read-trees.ts';

/**
 * Trees as arrays to be walked through, where the same trees as an expression would have to be made ready in every
 * transaction. Nodes count from 1; a leaf is the negative of its place among the leaves.
 */
export type Walk = {
  /** The values that are tested. */
  readonly columns: readonly Term[];
  readonly roots: readonly number[];
  /** Of each node: its column, counted from 1, the limit it is held against, and where to go for at most that, and for more. */
  readonly tested: readonly number[];
  readonly limits: readonly number[];
  readonly lower: readonly number[];
  readonly higher: readonly number[];
  readonly leaves: readonly number[];
};

/** How the nodes of a tree are read. */
export type Reading = { readonly test: (branch: Branch) => Term; readonly weight: (leaf: Leaf) => number };

/** With fewer, an expression is ready sooner than it is worth the trouble. */
const FEWEST_TESTS = 1000;
/** With fewer for each that a row comes to, walking takes about as long as to make the expression ready. */
const TESTS_FOR_EACH_PASSED = 3;

const walks = new WeakMap<Term, () => Walk | undefined>();

/** Notes how trees can be walked through whose sum is this very term. */
export function rememberWalk(total: Term, trees: readonly Tree[], reading: Reading): void {
  walks.set(total, () => walkThrough(trees, reading));
}

/** How to come to a term without the expression that it is; undefined where that is no gain, or no way. */
export function walkTo(total: Term): Walk | undefined {
  return walks.get(total)?.();
}

/** Undefined where a test is none of being at most something. */
function walkThrough(trees: readonly Tree[], { test, weight }: Reading): Walk | undefined {
  const [columns, leaves]: [Term[], number[]] = [[], []];
  const nodes = { tested: [] as number[], limits: [] as number[], lower: [] as number[], higher: [] as number[] };
  const columnOf = (value: Term): number =>
    columns.includes(value) ? columns.indexOf(value) + 1 : columns.push(value);
  const place = (tree: Tree): number => {
    if (isLeaf(tree)) return -leaves.push(weight(tree));
    const { atMost } = test(tree).traits;
    const node = nodes.tested.push(atMost === undefined ? Number.NaN : columnOf(atMost.value));
    nodes.limits.push(atMost?.limit ?? Number.NaN);
    const [under, over] = atMost?.holds === false ? [tree.failed, tree.passed] : [tree.passed, tree.failed];
    nodes.lower[node - 1] = place(under);
    nodes.higher[node - 1] = place(over);
    return node;
  };
  const roots = trees.map(place);
  return nodes.tested.some(Number.isNaN) ? undefined : { columns, roots, ...nodes, leaves };
}

/** Whether one row is sooner walked than an expression of these trees is ready, taking leaves for equally frequent. */
export function isWorthWalking(trees: readonly Tree[]): boolean {
  const shapes = trees.map((tree) => shapeOf(tree, 0));
  const tests = shapes.reduce((sum, { leaves }) => sum + leaves - 1, 0);
  const passed = shapes.reduce((sum, { leaves, depths }) => sum + depths / leaves, 0);
  return tests >= Math.max(FEWEST_TESTS, TESTS_FOR_EACH_PASSED * passed);
}

/** How many leaves there are, and how deep they are all together. */
function shapeOf(tree: Tree, depth: number): { leaves: number; depths: number } {
  if (isLeaf(tree)) return { leaves: 1, depths: depth };
  const [one, other] = [shapeOf(tree.passed, depth + 1), shapeOf(tree.failed, depth + 1)];
  return { leaves: one.leaves + other.leaves, depths: one.depths + other.depths };
}

export const WALK_VARIABLES = `  _x double precision[];
  _node integer;
  _sum double precision := 0;
`;

/** The PL/pgSQL that leaves the sum in _sum; `text` gives the SQL for a column. */
export function walkLines(walk: Walk, text: (column: Term) => string): string {
  const { columns, roots, tested, limits, lower, higher, leaves } = walk;
  return `  _x := array[${columns.map(text).join(', ')}];
  for _tree in 1..${roots.length} loop
    _node := (${integers(roots)})[_tree];
    while _node > 0 loop
      _node := case when _x[(${integers(tested)})[_node]] <= (${doubles(limits)})[_node] then (${integers(lower)})[_node] else (${integers(higher)})[_node] end;
    end loop;
    _sum := _sum + (${doubles(leaves)})[-_node];
  end loop;
`;
}

function integers(values: readonly number[]): string {
  return `'{${values.join()}}'::integer[]`;
}

function doubles(values: readonly number[]): string {
  return `'{${values.map((value) => untypedNumber(value).slice(1, -1)).join()}}'::double precision[]`;
}
