import type { JsonRow } from '../inference/json-rows.ts';
import type { Predictions, RowErrorCode } from '../inference/predictions.ts';
import type { ModelSession } from '../inference/session.ts';
import { stepOf, type Signature } from '../inference/signature.ts';
import { predictRows } from './trial.ts';
import { mulberry32 } from '../lib/random.ts';
import type { MappedFeature } from './features.ts';

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

/** Of rows and classes; as JSON they come to 40 MB. */
const MOST_NUMBERS = 2_000_000;

const SILENT: RowErrorCode = 'non_finite_output';

/** Null where that is too much to prove anything by. */
export async function referenceFor(session: ModelSession, asked: readonly JsonRow[]): Promise<Reference | null> {
  if (asked.length * Math.max(1, session.signature.classLabels.length) > MOST_NUMBERS) return null;
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

/**
 * The predictions as ONNX Runtime made them.
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

function orNull(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}

type Draw = (random: () => number) => number;

/** One way to fill a row, for each sample: what one model refuses or turns to NaN, another one needs. */
const DRAWS: readonly Draw[] = [
  () => 0,
  () => 1,
  (random) => Math.floor(random() * 4),
  (random) => random() * 2 - 1,
  (random) => random(),
  (random) => random() * 100,
  (random) => -Math.floor(random() * 10),
];

/**
 * Rows to try a model on, the same ones at every call. `categories` are the values that the graph knows for each feature:
 * others are taken only where there are none.
 */
export function sampleRows(features: readonly MappedFeature[], categories: readonly string[][]): JsonRow[] {
  const random = mulberry32(1);
  return DRAWS.map((draw, row) =>
    Object.fromEntries(
      features.map((feature, index) => {
        const known = categories[index] ?? [];
        const cell = () => (known.length > 0 ? known[row % known.length] : cellOf(feature, draw(random), row));
        return [feature.name, feature.width === 1 ? cell() : Array.from({ length: lengthOf(feature, row) }, cell)];
      }),
    ),
  );
}

/** Arrays of any length differ in it from row to row, and agree in it within a row. */
function lengthOf({ width, shape = [width || null] }: MappedFeature, row: number): number {
  return width === 0 ? (STEPS + (row % 3)) * stepOf(shape) : width;
}

const STEPS = 4;

function cellOf({ type, element }: MappedFeature, number: number, row: number): unknown {
  if (type === 'string') return 'abc'.charAt(row % 3);
  if (type === 'bool') return row % 2 === 1;
  if (type !== 'int32' && type !== 'int64') return number;
  const whole = Math.round(number);
  return element?.startsWith('u') === true ? Math.abs(whole) : whole;
}
