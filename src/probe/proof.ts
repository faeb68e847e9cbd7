import { batchOfRows } from '../model/json-rows.ts';
import type { JsonRow } from '../model/json-rows.ts';
import type { Predictions } from '../model/predictions.ts';
import type { RowErrorCode } from '../model/row-error.ts';
import type { ModelSession } from '../model/session.ts';
import { compileNative } from '../native/compile.ts';
import { proofRows } from '../native/proof-rows.ts';
import { NativeRefusal } from '../native/refusal.ts';

/**
 * Rows where a compiled function may go wrong, and what ONNX Runtime says of each, as JSON can carry it: null for NaN.
 * Of the rows in `silent` it says nothing.
 */
export type Proof = {
  readonly rows: readonly JsonRow[];
  readonly score: readonly (number | null)[];
  readonly label: readonly number[] | null;
  /** [rows, classes], row-major. */
  readonly probabilities: readonly (number | null)[] | null;
  readonly silent: readonly number[];
};

/** For rows with another error there is nothing that a compiled function could answer: it raises. */
const SILENT: RowErrorCode = 'non_finite_output';

/** Of the rows that came with the framework's predictions; the others are 2,000 mostly. */
const MOST_GIVEN = 1000;

/** Null for a model that is not compiled; why, says the compiler, which is asked again where the function is made. */
export async function proofOf(
  bytes: Uint8Array,
  session: ModelSession,
  given: readonly JsonRow[],
): Promise<Proof | null> {
  const made = rowsFor(bytes, session);
  if (made === null) return null;
  const usable = await usableRows(session, [...spread(given, MOST_GIVEN), ...made]);
  const { score, label, probabilities, errors } = await predict(session, usable);
  return {
    rows: usable.map(asJson),
    score: [...score].map(orNull),
    label: label && [...label],
    probabilities: probabilities && [...probabilities].map(orNull),
    silent: [...errors.keys()],
  };
}

/** The answers of ONNX Runtime as it gave them. */
export function referenceOf({ rows, score, label, probabilities, silent }: Proof): Predictions {
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

/** Rows at even distances where there are more. */
function spread(rows: readonly JsonRow[], most: number): readonly JsonRow[] {
  const step = Math.max(1, rows.length / most);
  return Array.from({ length: Math.min(rows.length, most) }, (_, index) => rows[Math.floor(index * step)] ?? {});
}

function rowsFor(bytes: Uint8Array, { signature }: ModelSession): readonly JsonRow[] | null {
  try {
    return proofRows(compileNative(bytes, signature), signature);
  } catch (error) {
    if (error instanceof NativeRefusal) return null;
    throw error;
  }
}

async function usableRows(session: ModelSession, rows: readonly JsonRow[]): Promise<JsonRow[]> {
  const { errors } = await predict(session, rows);
  return rows.filter((_, index) => (errors.get(index)?.code ?? SILENT) === SILENT);
}

function predict(session: ModelSession, rows: readonly JsonRow[]): Promise<Predictions> {
  const { batch, unread } = batchOfRows(session.signature.features, rows);
  return session.predict(batch, unread);
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** JSON has no NaN, no infinity and no -0; as texts they are read by PostgreSQL all the same. */
function asJson(row: JsonRow): JsonRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, cellAsJson(value)]));
}

function cellAsJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cellAsJson);
  if (typeof value === 'bigint') return value.toString();
  if (Object.is(value, -0)) return '-0';
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
