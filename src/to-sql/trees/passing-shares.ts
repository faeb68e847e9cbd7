import { isLeaf } from './tree.ts';
import type { Branch, Tree } from './tree.ts';

/** About which share of the rows that come to a branch passes its test; none of a branch where nothing tells. */
export type PassingShares = ReadonlyMap<Branch, number>;

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
