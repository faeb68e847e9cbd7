import type { Random } from '../lib/random.ts';

/** As NannyML has it: a model that ranks so well is left alone. */
const NEARLY_PERFECT = 0.999;
/** Rows of a bin and class that are dealt to folds one by one; of more, as many go to each fold. */
const DEALT = 1000;

/**
 * Whether isotonic calibration makes scores truer of rows that it did not learn from: whether the expected calibration error
 * falls, over ten groups of as many rows each. After NannyML's needs_calibration, which draws ten times a tenth of the rows
 * to try on, each class by itself, and pools them. Here the rows are in bins: each row counts with the middle of its bin, and
 * the tenths are `folds` of all rows rather than drawn anew, so that every row is tried once.
 */
export function needsCalibration(folds: readonly ScoreHistogram[], middles: Float64Array): boolean {
  const whole = folds.reduce(sum, emptyHistogram(middles.length));
  const auc = rocAuc(whole);
  if (Number.isNaN(auc) || auc > NEARLY_PERFECT) return false;
  const calibrated = folds.flatMap((fold) => claims(fold, isotonicShares(without(whole, fold), middles)));
  return calibrationError(claims(whole, middles)) > calibrationError(calibrated);
}

/** Deals the rows of a histogram to folds by chance, each class by itself. */
export function dealt({ positives, negatives }: ScoreHistogram, random: Random, count = 10): ScoreHistogram[] {
  const folds = Array.from({ length: count }, () => emptyHistogram(positives.length));
  const deal = (rows: number, give: (fold: ScoreHistogram, rows: number) => void): void => {
    const each = rows > DEALT ? Math.floor(rows / count) : 0;
    if (each > 0) for (const fold of folds) give(fold, each);
    for (let row = each * count; row < rows; row += 1) {
      const fold = folds[Math.floor(random() * count)];
      if (fold !== undefined) give(fold, 1);
    }
  };
  for (const [bin, rows] of positives.entries()) deal(rows, (fold, n) => add(fold.positives, bin, n));
  for (const [bin, rows] of negatives.entries()) deal(rows, (fold, n) => add(fold.negatives, bin, n));
  return folds;
}

function add(counts: Float64Array, bin: number, rows: number): void {
  counts[bin] = (counts[bin] ?? 0) + rows;
}

function sum(a: ScoreHistogram, b: ScoreHistogram): ScoreHistogram {
  return {
    positives: a.positives.map((n, bin) => n + (b.positives[bin] ?? 0)),
    negatives: a.negatives.map((n, bin) => n + (b.negatives[bin] ?? 0)),
  };
}

function claims({ positives, negatives }: ScoreHistogram, probabilities: Float64Array): Claim[] {
  return Array.from(probabilities, (probability, bin) => {
    const found = positives[bin] ?? 0;
    return { probability, positives: found, total: found + (negatives[bin] ?? 0) };
  });
}

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

/** Labelled predictions of a binary classifier by score: how many of each bin were positive and how many not. */
export type ScoreHistogram = { readonly positives: Float64Array; readonly negatives: Float64Array };

export function emptyHistogram(bins: number): ScoreHistogram {
  return { positives: new Float64Array(bins), negatives: new Float64Array(bins) };
}

/** What is in `whole` but not in `part`. */
function without(whole: ScoreHistogram, part: ScoreHistogram): ScoreHistogram {
  return {
    positives: whole.positives.map((n, bin) => n - (part.positives[bin] ?? 0)),
    negatives: whole.negatives.map((n, bin) => n - (part.negatives[bin] ?? 0)),
  };
}

/** Area under the ROC curve of the binned scores; ties count half. NaN where a class is missing. */
function rocAuc({ positives, negatives }: ScoreHistogram): number {
  let [won, below, found] = [0, 0, 0];
  for (const [bin, p] of positives.entries()) {
    const n = negatives[bin] ?? 0;
    won += p * (below + n / 2);
    below += n;
    found += p;
  }
  return won / (found * below);
}

/** Rows that claim one probability of being positive, and how many of them were. */
type Claim = { readonly probability: number; readonly total: number; readonly positives: number };

/**
 * Expected calibration error over `groups` groups of as many rows each, by probability: the mean distance of what is claimed
 * from what was, weighted by rows. Rows of one probability that fall on both sides of a group's end are split between the
 * groups, positives in proportion; NannyML, which has single rows, cuts ties in the order that they come in, and makes an
 * eleventh group where rows do not divide.
 */
export function calibrationError(claims: readonly Claim[], groups = 10): number {
  const merged = mergedTies(claims);
  const rows = merged.reduce((sum, { total }) => sum + total, 0);
  let [error, excess, room] = [0, 0, rows / groups];
  for (const { probability, total, positives } of merged) {
    const excessOfOne = probability - positives / total;
    let left = total;
    while (left >= room) {
      error += Math.abs(excess + room * excessOfOne);
      left -= room;
      [excess, room] = [0, rows / groups];
    }
    excess += left * excessOfOne;
    room -= left;
  }
  return (error + Math.abs(excess)) / rows;
}

function mergedTies(claims: readonly Claim[]): Claim[] {
  const merged: Claim[] = [];
  for (const claim of claims.filter(({ total }) => total > 0).toSorted((a, b) => a.probability - b.probability)) {
    const last = merged.at(-1);
    if (last?.probability !== claim.probability) merged.push(claim);
    else {
      merged[merged.length - 1] = {
        probability: claim.probability,
        total: last.total + claim.total,
        positives: last.positives + claim.positives,
      };
    }
  }
  return merged;
}
