import { leavesOf, type Tree } from './tree.ts';

/** Bits of a double's fraction: whole numbers up to this power of two add up without being rounded. */
const EXACT_BITS = 52;
/** What may be lost of a weight of a tree as most are: a quarter of what float32 loses of it. */
const MOST_LOST = 2 ** -26;

/**
 * How to round the weights of some trees for one target so that doubles add them up to the same sum in any order: to
 * multiples of one power of two that is 2^-52 of the largest sum there can be. Undefined where that would be seen, since a
 * few weights are so much larger than all others, and where a weight is not finite.
 */
export function addable(trees: readonly Tree[], target: number): ((weight: number) => number) | undefined {
  const sizes = trees.map((tree) => sizesOf(tree, target));
  const most = sizes.reduce((sum, tree) => sum + (tree.at(-1) ?? 0), 0);
  const usual = Math.min(...sizes.map((tree) => tree[Math.floor((tree.length - 1) / 2)] ?? Infinity));
  const unit = Math.max(2 ** (Math.ceil(Math.log2(most)) - EXACT_BITS), Number.MIN_VALUE);
  if (!Number.isFinite(most) || unit / 2 > usual * MOST_LOST) return undefined;
  // Not -0, which is not what 0 and -0 add up to.
  return (weight) => Math.round(weight / unit) * unit + 0;
}

/** Of the weights that are not zero, in ascending order. */
function sizesOf(tree: Tree, target: number): number[] {
  return leavesOf(tree)
    .flatMap(({ weights }) => {
      const size = Math.abs(weights.get(target) ?? 0);
      return size === 0 ? [] : [size];
    })
    .toSorted((a, b) => a - b);
}
