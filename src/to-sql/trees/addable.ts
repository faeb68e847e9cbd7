import { leavesOf, type Tree } from './tree.ts';

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
