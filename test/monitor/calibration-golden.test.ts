import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mulberry32 } from '../../src/lib/random.ts';
import {
  calibrationError,
  isotonicShares,
  dealt,
  needsCalibration,
  type ScoreHistogram,
} from '../../src/monitor/calibration.ts';

type Counts = { positives: number[]; negatives: number[] };
type Golden = {
  isotonic: (Counts & { name: string; middles: number[]; shares: number[] })[];
  calibration: { name: string; middles: number[]; folds: Counts[]; error: number; needed: boolean }[];
};

const golden = JSON.parse(readFileSync(new URL('golden/estimates.json', import.meta.url), 'utf8')) as Golden;

const histogram = ({ positives, negatives }: Counts): ScoreHistogram => ({
  positives: Float64Array.from(positives),
  negatives: Float64Array.from(negatives),
});
const total = (folds: readonly Counts[], of: keyof Counts, bin: number): number =>
  folds.reduce((sum, fold) => sum + (fold[of][bin] ?? 0), 0);

test.each(golden.isotonic)('the shares of $name rows are those of scikit-learn', ({ middles, shares, ...counts }) => {
  const found = isotonicShares(histogram(counts), Float64Array.from(middles));
  for (const [bin, share] of shares.entries()) expect(Math.abs((found[bin] ?? Number.NaN) - share)).toBeLessThan(1e-12);
});

test.each(golden.calibration)(
  'whether $name scores need calibration is what numpy finds on the same folds',
  ({ middles, folds, error, needed }) => {
    const claims = middles.map((probability, bin) => {
      const positives = total(folds, 'positives', bin);
      return { probability, positives, total: positives + total(folds, 'negatives', bin) };
    });
    expect(Math.abs(calibrationError(claims) - error)).toBeLessThan(1e-12);
    expect(needsCalibration(folds.map(histogram), Float64Array.from(middles))).toBe(needed);
  },
);

test('the golden sets hold both verdicts', () => {
  expect(new Set(golden.calibration.map(({ needed }) => needed))).toEqual(new Set([true, false]));
});

test('what ranks nearly perfectly, and what has one class, is left alone', () => {
  const middles = Float64Array.of(0.1, 0.4, 0.6, 0.9);
  const left = { positives: [0, 0, 50, 50], negatives: [50, 50, 0, 0] };
  const positive = { positives: [10, 10, 10, 10], negatives: [0, 0, 0, 0] };
  for (const counts of [left, positive]) {
    expect(needsCalibration(dealt(histogram(counts), mulberry32(1)), middles)).toBe(false);
  }
});

test('however rows are dealt to folds, each row is in one of them, and large bins are dealt evenly', () => {
  const counts = fc.array(fc.oneof(fc.nat(20), fc.nat(50_000)), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(counts, counts, fc.integer(), (positives, negatives, seed) => {
      const folds = dealt(histogram({ positives, negatives }), mulberry32(seed));
      for (const [of, rows] of [
        ['positives', positives],
        ['negatives', negatives],
      ] as const) {
        for (const [bin, n] of rows.entries()) {
          const parts = folds.map((fold) => fold[of][bin] ?? 0);
          expect(parts.reduce((sum, part) => sum + part, 0)).toBe(n);
          if (n > 1000) expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(9);
        }
      }
    }),
    { seed: 20261125 },
  );
});
