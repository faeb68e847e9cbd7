import { leavesOf, type Tree } from './tree.ts';

/** Bits of a double's fraction: whole numbers up to this power of two add up without being rounded. */
const EXACT_BITS = 52;

/**
 * How to round the weights of some trees for one target so that doubles add them up to the same sum in any order: to
 * multiples of one power of two that is 2^-52 of the largest sum there can be. Undefined where a weight is not finite.
 */
export function addable(trees: readonly Tree[], target: number): ((weight: number) => number) | undefined {
  const most = trees.reduce((sum, tree) => sum + largestOf(tree, target), 0);
  if (!Number.isFinite(most)) return undefined;
  const unit = Math.max(2 ** (Math.ceil(Math.log2(most)) - EXACT_BITS), Number.MIN_VALUE);
  // Not -0, which is not what 0 and -0 add up to.
  return (weight) => Math.round(weight / unit) * unit + 0;
}

function largestOf(tree: Tree, target: number): number {
  return Math.max(...leavesOf(tree).map(({ weights }) => Math.abs(weights.get(target) ?? 0)));
}
