import type { Predictions } from '../../inference/predictions.ts';
import type { Signature } from '../../inference/signature.ts';

/** Rows of one run that belong to one call. */
export type Part = { readonly predictions: Predictions; readonly from: number; readonly rows: number };

/** What a call is answered with: its rows in their order, in the parts in which they were run. */
export type Answer = { readonly signature: Signature; readonly parts: readonly Part[] };

/** What a model says of one row. */
export type RowAnswer = {
  readonly score: number | null;
  /** null for a regression. */
  readonly label: string | null;
  /** In the order of the class labels; null where the model gives none. */
  readonly probabilities: Float64Array | null;
};

export function* answersOneByOne({ signature: { classLabels }, parts }: Answer): Generator<RowAnswer> {
  for (const { predictions, from, rows } of parts) {
    for (let row = from; row < from + rows; row += 1) yield rowAnswer(predictions, row, classLabels);
  }
}

/** null for a classifier that gives labels only. */
export function scoreOf({ score, label, probabilities }: Predictions, row: number): number | null {
  const value = score[row] ?? Number.NaN;
  return Number.isNaN(value) && label !== null && probabilities === null ? null : value;
}

function rowAnswer(predictions: Predictions, row: number, labels: readonly string[]): RowAnswer {
  const { label, probabilities } = predictions;
  return {
    score: scoreOf(predictions, row),
    label: label === null ? null : (labels[label[row] ?? -1] ?? null),
    probabilities: probabilities && probabilities.subarray(row * labels.length, (row + 1) * labels.length),
  };
}
