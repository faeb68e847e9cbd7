import type { JsonRow } from '../model/json-rows.ts';
import type { Predictions } from '../model/predictions.ts';
import type { RowErrorCode } from '../model/row-error.ts';
import type { ModelSession } from '../model/session.ts';
import { predictRows } from './trial.ts';

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

const SILENT: RowErrorCode = 'non_finite_output';

export async function referenceFor(session: ModelSession, asked: readonly JsonRow[]): Promise<Reference> {
  const { score, label, probabilities, errors } = await predictRows(session, asked);
  const rows = asked.flatMap((_, row) => ((errors.get(row)?.code ?? SILENT) === SILENT ? [row] : []));
  const classes = session.signature.classLabels.length;
  return {
    rows,
    score: rows.map((row) => orNull(score[row])),
    label: label && rows.map((row) => label[row] ?? 0),
    probabilities:
      probabilities &&
      rows.flatMap((row) => [...probabilities.subarray(row * classes, (row + 1) * classes)].map(orNull)),
    silent: rows.flatMap((row, place) => (errors.has(row) ? [place] : [])),
  };
}

/** The predictions as ONNX Runtime made them. */
export function predictionsOf({ rows, score, label, probabilities, silent }: Reference): Predictions {
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

function orNull(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}
