import { readRow, type JsonRow } from '../model/json-rows.ts';
import { renameColumns } from '../model/rename-columns.ts';
import type { Signature } from '../model/signature.ts';
import type { NativeProgram } from './compile.ts';
import { proofRows } from './proof-rows.ts';

/** Of the rows that came with the framework's predictions; the others are 2,000 mostly. */
const MOST_GIVEN = 1000;

/**
 * Rows to prove a compiled function on, as JSON can carry them: those that came with the framework's predictions, as the
 * model reads them, and those where the function may go wrong.
 * @throws PgscoreError feature_column_missing where the former lack a feature
 */
export function rowsToProve(program: NativeProgram, signature: Signature, given: readonly JsonRow[]): JsonRow[] {
  return [...read(signature, given), ...proofRows(program, signature)].map(asJson);
}

function read({ features }: Signature, given: readonly JsonRow[]): JsonRow[] {
  if (given.length === 0) return [];
  const renamed = renameColumns(features, given);
  return spread(given, MOST_GIVEN).map((row) => readRow(features, renamed(row)));
}

/** Rows at even distances where there are more. */
function spread(rows: readonly JsonRow[], most: number): JsonRow[] {
  const step = Math.max(1, rows.length / most);
  return Array.from({ length: Math.min(rows.length, most) }, (_, index) => rows[Math.floor(index * step)] ?? {});
}

/** JSON has no NaN, no infinity and no -0; as texts they are read by PostgreSQL, and by the check, all the same. */
function asJson(row: JsonRow): JsonRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, cellAsJson(value)]));
}

function cellAsJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cellAsJson);
  if (typeof value === 'bigint') return value.toString();
  if (Object.is(value, -0)) return '-0';
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
