import type { ScoreHistogram } from './score-histogram.ts';

/** Neighbouring bins that have one share of positives. */
type Block = { first: number; last: number; positives: number; total: number };

/**
 * The share of positives to expect in each bin, never falling from one to the next: isotonic regression by pooling adjacent
 * violators, least squares weighted by rows. Where the histogram is empty the share lies on the line between the nearest
 * bins that are not, by `middles`, and is that of the first or last one beyond them. The same as scikit-learn's
 * IsotonicRegression(out_of_bounds='clip') of the rows, with the middle of its bin for every score. NaN where there are no rows.
 */
export function isotonicShares(histogram: ScoreHistogram, middles: Float64Array): Float64Array {
  const shares = new Float64Array(middles.length).fill(Number.NaN);
  for (const { first, last, positives, total } of pooled(histogram)) shares.fill(positives / total, first, last + 1);
  return interpolated(shares, middles);
}

function pooled({ positives, negatives }: ScoreHistogram): Block[] {
  const blocks: Block[] = [];
  for (const [bin, p] of positives.entries()) {
    const total = p + (negatives[bin] ?? 0);
    if (total === 0) continue;
    let block: Block = { first: bin, last: bin, positives: p, total };
    for (let before = blocks.at(-1); before !== undefined && !rises(before, block); before = blocks.at(-1)) {
      blocks.pop();
      block = {
        first: before.first,
        last: bin,
        positives: before.positives + block.positives,
        total: before.total + block.total,
      };
    }
    blocks.push(block);
  }
  return blocks;
}

/** In whole numbers, so that no rounding makes a step of what is level. */
function rises(before: Block, block: Block): boolean {
  return before.positives * block.total < block.positives * before.total;
}

/** Fills what lies between blocks, before the first and after the last. */
function interpolated(shares: Float64Array, middles: Float64Array): Float64Array {
  let before = -1;
  for (let bin = 0; bin <= shares.length; bin += 1) {
    if (bin < shares.length && Number.isNaN(shares[bin])) continue;
    for (let gap = before + 1; gap < bin; gap += 1) shares[gap] = between(shares, middles, [before, gap, bin]);
    before = bin;
  }
  return shares;
}

function between(shares: Float64Array, middles: Float64Array, [low, at, high]: [number, number, number]): number {
  const [from, to] = [shares[low] ?? Number.NaN, shares[high] ?? Number.NaN];
  if (low < 0 || high >= shares.length) return low < 0 ? to : from;
  const [left, middle, right] = [middles[low] ?? 0, middles[at] ?? 0, middles[high] ?? 0];
  return from + ((to - from) * (middle - left)) / (right - left);
}
