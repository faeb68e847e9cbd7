import type { Predictions, RowErrorCode } from '../inference/predictions.ts';
import type { Signature } from '../inference/signature.ts';

/** What ONNX Runtime says of some of the rows that it was asked about, as JSON can carry it: null for NaN. */
export type Reference = {
  /** Which rows: for the others there is nothing that a compiled function could answer, and it raises. */
  readonly rows: readonly number[];
  readonly score: readonly (number | null)[];
  readonly label: readonly number[] | null;
  /** [rows, classes], row-major. */
  readonly probabilities: readonly (number | null)[] | null;
  /** Places among them of those of which it says nothing. */
  readonly silent: readonly number[];
};

export const SILENT: RowErrorCode = 'non_finite_output';

/**
 * The predictions as ONNX Runtime made them. Apart from what makes a reference, so that the service does not load ONNX Runtime.
 * @throws Error for what is no reference for so many rows: it comes from a process that ran somebody's model
 */
export function predictionsOf(reference: Reference, asked: number, { task, classLabels }: Signature): Predictions {
  const { rows, score, label, probabilities, silent } = reference;
  const sound =
    rows.every((row, place) => Number.isInteger(row) && row > (rows[place - 1] ?? -1) && row < asked) &&
    score.length === rows.length &&
    (task === 'regression' ? label === null : label?.length === rows.length) &&
    (probabilities === null || probabilities.length === rows.length * classLabels.length);
  if (!sound) throw new Error('the check answered for other rows than it was asked about');
  const numbers = (values: readonly (number | null)[]): Float64Array =>
    Float64Array.from(values, (value) => value ?? Number.NaN);
  return {
    rows: rows.length,
    score: numbers(score),
    label: label && Int32Array.from(label),
    probabilities: probabilities && numbers(probabilities),
    errors: new Map(silent.map((row) => [row, { code: SILENT, message: 'no finite answer' }])),
  };
}
