import { readRow, type JsonRow } from '../inference/json-rows.ts';
import type { Signature } from '../inference/signature.ts';
import type { NativeProgram } from './compile.ts';
import { proofRows } from './proof-rows.ts';
import { NativeRefusal } from './refusal.ts';

/**
 * As JSON they go to the check and to PostgreSQL. Two million numbers, the most there are, come to 62 million characters; a
 * category of kilobytes, which stands in each of a thousand rows, to any number.
 */
const MOST_CHARACTERS = 100_000_000;
const OF_A_NUMBER = 25;

/**
 * Rows to prove a compiled function on, as JSON can carry them: those that were given, as the model reads them, and those where the
 * function may go wrong.
 * @throws NativeRefusal where they are too long
 */
export function rowsToProve(program: NativeProgram, signature: Signature, given: readonly JsonRow[]): JsonRow[] {
  const rows = [...given.map((row) => asJson(readRow(signature.features, row))), ...proofRows(program, signature)];
  let characters = 0;
  for (const row of rows) {
    characters += lengthOf(Object.entries(row));
    if (characters > MOST_CHARACTERS) throw tooLong();
  }
  return rows;
}

function tooLong(): NativeRefusal {
  return new NativeRefusal(`the rows to prove it on have more than ${MOST_CHARACTERS / 1e6} million characters`);
}

function lengthOf(values: readonly unknown[]): number {
  let length = 0;
  for (const value of values) {
    if (Array.isArray(value)) length += lengthOf(value);
    else length += typeof value === 'string' ? JSON.stringify(value).length : OF_A_NUMBER;
  }
  return length;
}

/** JSON has no NaN, no infinity and no -0; as texts they are read by PostgreSQL, and by the check, all the same. */
function asJson(row: JsonRow): JsonRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, cellAsJson(value)]));
}

function cellAsJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cellAsJson);
  if (Object.is(value, -0)) return '-0';
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
