import type { JsonRow } from '../inference/json-rows.ts';
import type { ModelSession } from '../inference/session.ts';
import { stepOf } from '../inference/signature.ts';
import { predictRows } from './trial.ts';
import { mulberry32 } from '../lib/random.ts';
import type { MappedFeature } from './features.ts';
import { SILENT, type Reference } from './reference-answers.ts';

/** Of rows and classes; as JSON they come to 40 MB. */
const MOST_NUMBERS = 2_000_000;

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
