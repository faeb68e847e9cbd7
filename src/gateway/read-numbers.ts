import type { JsonRow } from '../model/json-rows.ts';
import { NumberRows } from '../model/number-rows.ts';

/** How the rows of a request begin where they are not JSON. */
export const NUMBERS = 'numbers\n';

/** Rows of numbers, and, where it was sent, what each of them is about. */
export type SentNumbers = { readonly rows: NumberRows; readonly about: readonly JsonRow[] };

const FLOAT4_OID = 700;
const FLOAT8_OID = 701;
const DIMENSIONS = 2;
const HEAD_BYTES = 4 * 7;

/**
 * Reads what pgscore_models._write_numbers() wrote: columns of keys as a JSON object, below it, in base64, the numbers as
 * array_send() of PostgreSQL gives an array of rows.
 * @throws Error for anything else
 */
export function readNumbers(text: string): SentNumbers {
  const end = text.indexOf('\n', NUMBERS.length);
  const rows = readArray(Buffer.from(text.slice(end), 'base64'));
  return { rows, about: rowsOf(JSON.parse(text.slice(NUMBERS.length, end)), rows.length) };
}

/** Dimensions, whether there are NULLs, type, then length and first index of each dimension; and the elements. */
function readArray(bytes: Buffer): NumberRows {
  if (bytes.length < HEAD_BYTES) throw new Error('the array is cut off');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = view.getInt32(8);
  const [length, width] = [view.getInt32(12), view.getInt32(20)];
  if (view.getInt32(0) !== DIMENSIONS || (type !== FLOAT4_OID && type !== FLOAT8_OID)) throw new Error('no such array');
  // A NULL is four bytes.
  if (length < 1 || width < 1 || 4 * length * width > bytes.length - HEAD_BYTES)
    throw new Error('the array is cut off');
  const values = new Float64Array(length * width);
  const nulls = view.getInt32(4) === 0 ? null : new Uint8Array(values.length);
  const isDouble = type === FLOAT8_OID;
  const valueBytes = isDouble ? 8 : 4;
  let at = HEAD_BYTES;
  for (let index = 0; index < values.length; index += 1) {
    const size = view.getInt32(at);
    at += 4;
    if (size === -1 && nulls !== null) nulls[index] = 1;
    else if (size === valueBytes) values[index] = isDouble ? view.getFloat64(at) : view.getFloat32(at);
    else throw new Error('a value has another length');
    if (size > 0) at += size;
  }
  if (at !== bytes.length) throw new Error('the array has another length');
  return new NumberRows(length, width, values, nulls);
}

function rowsOf(columns: unknown, length: number): JsonRow[] {
  if (typeof columns !== 'object' || columns === null) throw new Error('there are no columns of keys');
  const given = Object.entries(columns);
  if (given.length === 0) return [];
  if (!given.every(([, values]) => Array.isArray(values) && values.length === length))
    throw new Error('a key is missing');
  return Array.from({ length }, (_, row) =>
    Object.fromEntries(given.map(([name, values]) => [name, (values as unknown[])[row]])),
  );
}
