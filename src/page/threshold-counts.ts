import { number, type Row } from './api.ts';

/** What a binary classifier got right and wrong. */
export type Counts = {
  readonly hits: number;
  readonly falseAlarms: number;
  readonly misses: number;
  readonly passes: number;
};

/** The counts behind a row of threshold_curve, which holds rates: everything is called positive at threshold 0. */
export function countsAt(rows: readonly Row[], threshold: number): Counts | undefined {
  const [all] = rows;
  const row = rows.find((one) => Math.abs((number(one, 'threshold') ?? -1) - threshold) < 1e-6);
  if (all === undefined || row === undefined) return undefined;
  const total = number(all, 'n_predicted_positive') ?? 0;
  const positives = Math.round((number(all, 'precision_score') ?? 0) * total);
  const called = number(row, 'n_predicted_positive') ?? 0;
  const hits = Math.round((number(row, 'true_positive_rate') ?? 0) * positives);
  const falseAlarms = called - hits;
  return { hits, falseAlarms, misses: positives - hits, passes: total - positives - falseAlarms };
}

export function ratiosOf({ hits, falseAlarms, misses, passes }: Counts) {
  const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
  return {
    precision: ratio(hits, hits + falseAlarms),
    recall: ratio(hits, hits + misses),
    f1: ratio(2 * hits, 2 * hits + falseAlarms + misses),
    accuracy: ratio(hits + passes, hits + falseAlarms + misses + passes),
    called: hits + falseAlarms,
  };
}
