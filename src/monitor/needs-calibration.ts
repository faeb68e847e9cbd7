import type { Random } from '../lib/random.ts';
import { calibrationError, type Claim } from './calibration-error.ts';
import { isotonicShares } from './isotonic.ts';
import { emptyHistogram, rocAuc, without, type ScoreHistogram } from './score-histogram.ts';

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
