import type { Predictions, RowErrorCode } from '../inference/predictions.ts';
import type { Signature } from '../inference/signature.ts';

/** What the compiled functions of a version said of one row. */
export type NativeAnswer = {
  readonly score: number | null;
  readonly label: number | null;
  readonly probabilities: readonly (number | null)[] | null;
};

/** Numbers are equal where they differ by no more than this, or this share of a reference beyond 1. */
const TOLERANCE = 1e-5;

/**
 * The first difference between a compiled version and ONNX Runtime, in words; undefined where there is none. A value of a
 * regression may be near zero because large terms cancel out, and then float32 is off by a share of the terms: there the
 * median value stands in for them, if it is larger.
 */
export function differences(
  signature: Signature,
  reference: Predictions,
  native: readonly NativeAnswer[],
): string | undefined {
  if (native.length !== reference.rows) return `${native.length} answers for ${reference.rows} rows`;
  const scale = signature.task === 'regression' ? Math.max(1, median(reference.score)) : 1;
  for (const [row, answer] of native.entries()) {
    const found = rowDifference(signature, reference, row, answer, scale);
    if (found !== undefined) return `row ${row + 1}: ${found}`;
  }
  return undefined;
}

/** The median size of the numbers that are finite. */
function median(values: Float64Array): number {
  const sizes = values.filter(Number.isFinite).map(Math.abs).toSorted();
  return sizes[Math.floor(sizes.length / 2)] ?? 0;
}

function rowDifference(
  signature: Signature,
  reference: Predictions,
  row: number,
  answer: NativeAnswer,
  scale: number,
): string | undefined {
  const expected = reference.errors.has(row) ? Number.NaN : (reference.score[row] ?? Number.NaN);
  return (
    numberDifference('the score', expected, answer.score, scale) ??
    probabilityDifference(reference, row, answer) ??
    labelDifference(signature, reference, row, answer)
  );
}

function numberDifference(what: string, expected: number, actual: number | null, scale = 1): string | undefined {
  const wanted = Number.isNaN(expected) ? null : expected;
  if (wanted === actual) return undefined;
  const close =
    wanted !== null && actual !== null && Math.abs(actual - wanted) <= TOLERANCE * Math.max(scale, Math.abs(wanted));
  return close ? undefined : `${what} is ${actual ?? 'NULL'}, ONNX Runtime says ${wanted ?? 'nothing'}`;
}

function probabilityDifference({ probabilities, rows, errors }: Predictions, row: number, answer: NativeAnswer) {
  if (probabilities === null) return undefined;
  const classes = probabilities.length / rows;
  for (let index = 0; index < classes; index += 1) {
    const expected = errors.has(row) ? Number.NaN : (probabilities[row * classes + index] ?? Number.NaN);
    const found = numberDifference(`probability ${index}`, expected, answer.probabilities?.[index] ?? null);
    if (found !== undefined) return found;
  }
  return undefined;
}

function labelDifference(
  signature: Signature,
  reference: Predictions,
  row: number,
  { label }: NativeAnswer,
): string | undefined {
  if (reference.label === null) return undefined;
  const index = reference.errors.has(row) ? -1 : (reference.label[row] ?? -1);
  const expected = index === -1 ? null : index;
  if (label === expected) return undefined;
  if (label !== null && expected !== null && isCloseCall(signature, reference, row)) return undefined;
  const named = (at: number | null) => (at === null ? 'NULL' : `'${signature.classLabels[at] ?? at}'`);
  return `the label is ${named(label)}, ONNX Runtime says ${named(expected)}`;
}

/** Whether the numbers leave open which label it is. At a tie they don't, where the label is the model's own. */
function isCloseCall(
  { task, threshold }: Signature,
  { score, probabilities, rows }: Predictions,
  row: number,
): boolean {
  if (task === 'binary') {
    const distance = Math.abs((score[row] ?? 0) - (threshold ?? 0.5));
    return distance <= TOLERANCE && (distance > 0 || threshold !== undefined);
  }
  if (probabilities === null) return false;
  const classes = probabilities.length / rows;
  const own = probabilities.slice(row * classes, (row + 1) * classes).toSorted((a, b) => b - a);
  return (own[0] ?? 0) - (own[1] ?? 0) <= 2 * TOLERANCE;
}

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
