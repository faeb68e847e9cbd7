import { compareTo, isNaNTerm, passesOrNaN, type Comparison } from '../comparison.ts';
import { untypedNumber, typedNumber, approximate, bool, constant, type Term } from '../term.ts';
import { unsupported, type OperatorCall } from '../operator.ts';
import { reproducible, exactly } from '../reproducible.ts';
import { SUM_OF_COLUMNS, sum } from '../sums.ts';
import { addable, isLeaf, leavesOf, type Branch, type Leaf, type Tree } from './read-trees.ts';
import { isWorthWalking, rememberWalk } from './walk.ts';

const RELATIONS: Record<Exclude<Branch['mode'], 'BRANCH_EQ' | 'BRANCH_NEQ'>, Exclude<Comparison, '='>> = {
  BRANCH_LEQ: '<=',
  BRANCH_LT: '<',
  BRANCH_GTE: '>=',
  BRANCH_GT: '>',
};

/** What a tree is asked about. */
export type Given = { readonly columns: readonly Term[]; readonly shares: PassingShares };

/** Below, what the trees of a group still have in common is little, and an expression nests deeper for it. */
const SHARED_LEVELS = 20;

/**
 * What some trees say together of one target, as nested CASEs: a test with which several begin is made once for all of
 * them, and so on below it. Branches that come to the same are one.
 */
export function treesTerm(call: OperatorCall, trees: readonly Tree[], target: number, given: Given): Term {
  const saying = trees.filter((tree) => says(tree, target));
  const added = saying.length > 2 && isWorthWalking(saying) ? addable(saying, target) : undefined;
  const weight = ({ weights }: Leaf): number => {
    const own = weights.get(target) ?? 0;
    return added === undefined ? own : added(own);
  };
  const made = together(call, saying, { weight, given, level: 0 });
  const total = typeof made === 'number' ? constant('float32', made) : made;
  if (saying.length <= 2) return total;
  // Where leaves are added up here, too: ONNX Runtime adds float32 in an order of its own.
  const near = approximate(total, SUM_OF_COLUMNS);
  if (added !== undefined && near.constant === undefined)
    rememberWalk(near, saying, { weight, test: (tree) => testOf(tree, columnOf(call, tree, given)) });
  return near;
}

type Asked = { readonly weight: (leaf: Leaf) => number; readonly given: Given; readonly level: number };

function says(tree: Tree, target: number): boolean {
  return leavesOf(tree).some(({ weights }) => (weights.get(target) ?? 0) !== 0);
}

/** Their sum, or the number that it always is. */
function together(call: OperatorCall, trees: readonly Tree[], asked: Asked): Term | number {
  const parts = groupsOf(trees, asked.level).map((group) => branch(call, group, asked));
  const leaves = trees.filter(isLeaf).map(asked.weight);
  // The first of those that are added up nests deepest: last comes that with the most branches, mostly the deepest.
  const terms = parts.filter((part) => typeof part !== 'number').toSorted((a, b) => branchesIn(a) - branchesIn(b));
  const fixed = [...leaves, ...parts.filter((part) => typeof part === 'number')].reduce((a, b) => a + b, 0);
  if (terms.length === 0) return fixed;
  const total = sum('float32', fixed === 0 ? terms : [...terms, constant('float32', fixed)]);
  branchCounts.set(
    total,
    terms.reduce((count, term) => count + branchesIn(term), 0),
  );
  return total;
}

type Group = readonly [Branch, ...Branch[]];

/** The trees that are more than a leaf, by the test with which they begin. */
function groupsOf(trees: readonly Tree[], level: number): Group[] {
  const groups = new Map<unknown, [Branch, ...Branch[]]>();
  for (const tree of trees) {
    if (isLeaf(tree)) continue;
    const { mode, column, threshold, missingPasses } = tree;
    const test = level < SHARED_LEVELS ? [mode, column, threshold, missingPasses].join(' ') : tree;
    const group = groups.get(test);
    if (group === undefined) groups.set(test, [tree]);
    else group.push(tree);
  }
  return [...groups.values()];
}

function branch(call: OperatorCall, group: Group, asked: Asked): Term | number {
  const [first] = group;
  const below = { ...asked, level: asked.level + 1 };
  const passed = together(
    call,
    group.map((tree) => tree.passed),
    below,
  );
  const failed = together(
    call,
    group.map((tree) => tree.failed),
    below,
  );
  if (passed === failed) return passed;
  const column = columnOf(call, first, asked.given);
  call.critical.add(reproducible(call, column), [first.threshold]);
  const condition = testOf(first, column);
  const share = asked.given.shares.get(first);
  return first.mode === 'BRANCH_NEQ'
    ? rareFirst(condition, share === undefined ? undefined : 1 - share, failed, passed)
    : rareFirst(condition, share, passed, failed);
}

function columnOf(call: OperatorCall, { column }: Branch, { columns }: Given): Term {
  const found = columns[column];
  if (found === undefined) throw unsupported(call, 'of columns that are not there');
  return found;
}

/** NaN is unequal to all, so that it always passes BRANCH_NEQ. */
function testOf({ mode, threshold, missingPasses }: Branch, column: Term): Term {
  const equals = compareTo(column, '=', threshold);
  if (mode === 'BRANCH_NEQ') return equals;
  if (mode === 'BRANCH_EQ') return missingPasses ? bool`${equals} or ${isNaNTerm(exactly(column))}` : equals;
  return (missingPasses ? passesOrNaN : compareTo)(column, RELATIONS[mode], threshold);
}

/**
 * From a THEN, a jump leads to the end of its CASE, and on to the end of those around it; an ELSE is there already: the
 * rarer side first takes 3 to 4 % less time than the smaller one, which is taken for the rarer where nothing tells.
 */
function rareFirst(condition: Term, share: number | undefined, passed: Term | number, failed: Term | number): Term {
  const opposite = condition.traits.opposite?.();
  const often = share === undefined ? branchesIn(passed) > branchesIn(failed) : share > 0.5;
  const swapped = opposite !== undefined && often;
  const made = swapped ? branching(opposite, failed, passed) : branching(condition, passed, failed);
  branchCounts.set(made, 1 + branchesIn(passed) + branchesIn(failed));
  return made;
}

const branchCounts = new WeakMap<Term, number>();

function branchesIn(branch: Term | number): number {
  return typeof branch === 'number' ? 0 : (branchCounts.get(branch) ?? 0);
}

function branching(condition: Term, passed: Term | number, failed: Term | number): Term {
  const bothLeaves = typeof passed === 'number' && typeof failed === 'number';
  const operands = [condition];
  const pieces = ['case when ', ' then '];
  const append = (branch: Term | number, typed: boolean, after: string) => {
    if (typeof branch === 'number') pieces.push((pieces.pop() ?? '') + leaf(branch, typed) + after);
    else {
      operands.push(branch);
      pieces.push(after);
    }
  };
  append(passed, bothLeaves, ' else ');
  append(failed, false, ' end');
  return { kind: 'float32', pieces, operands, traits: { range: 'finite' } };
}

/** One branch with a type settles that of the CASE. */
function leaf(value: number, typed: boolean): string {
  return typed ? typedNumber(value) : untypedNumber(value);
}

/** About which share of the rows that come to a branch passes its test; none of a branch where nothing tells. */
type PassingShares = ReadonlyMap<Branch, number>;

type Share = (threshold: number) => number;
type Bounds = readonly [from: number, to: number];

const UNBOUNDED: Bounds = [-Infinity, Infinity];
const STEEPNESS = 1.702;
/** A standard deviation of a normal distribution to each side of its median. */
const [LOW, MIDDLE, HIGH] = [0.16, 0.5, 0.84];

/**
 * Estimated from the thresholds themselves: as trees are grown on values of a column, they lie about where its values do.
 * Those are taken for normally distributed, by the logistic function that is near to it (Haley 1952).
 */
export function passingShares(trees: readonly Tree[]): PassingShares {
  const thresholds = new Map<number, number[]>();
  for (const { column, threshold } of trees.flatMap(branchesOf)) {
    if (!thresholds.has(column)) thresholds.set(column, []);
    if (Number.isFinite(threshold)) thresholds.get(column)?.push(threshold);
  }
  const below = new Map([...thresholds].map(([column, values]) => [column, shareBelow(values)]));
  const shares = new Map<Branch, number>();
  for (const tree of trees) fill(shares, tree, below, new Map());
  return shares;
}

function branchesOf(tree: Tree): Branch[] {
  return isLeaf(tree) ? [] : [tree, ...branchesOf(tree.passed), ...branchesOf(tree.failed)];
}

/** Undefined where thresholds don't tell how values are spread, as those of a column of zeros and ones. */
function shareBelow(thresholds: readonly number[]): Share | undefined {
  const sorted = thresholds.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * sorted.length)] ?? 0;
  const deviation = (at(HIGH) - at(LOW)) / 2;
  if (!(deviation > 0)) return undefined;
  return (threshold) => 1 / (1 + Math.exp((-STEEPNESS * (threshold - at(MIDDLE))) / deviation));
}

function fill(
  shares: Map<Branch, number>,
  tree: Tree,
  below: ReadonlyMap<number, Share | undefined>,
  within: ReadonlyMap<number, Bounds>,
): void {
  if (isLeaf(tree)) return;
  const { column, threshold, mode, passed, failed } = tree;
  if (mode === 'BRANCH_EQ' || mode === 'BRANCH_NEQ') {
    shares.set(tree, mode === 'BRANCH_EQ' ? 0 : 1);
    for (const side of [passed, failed]) fill(shares, side, below, within);
    return;
  }
  const [from, to] = within.get(column) ?? UNBOUNDED;
  const isUpper = mode === 'BRANCH_GTE' || mode === 'BRANCH_GT';
  const [lower, upper] = isUpper ? [failed, passed] : [passed, failed];
  const share = below.get(column);
  if (share !== undefined && share(to) > share(from)) {
    const low = (share(threshold) - share(from)) / (share(to) - share(from));
    shares.set(tree, isUpper ? 1 - low : low);
  }
  fill(shares, lower, below, new Map(within).set(column, [from, Math.min(to, threshold)]));
  fill(shares, upper, below, new Map(within).set(column, [Math.max(from, threshold), to]));
}
