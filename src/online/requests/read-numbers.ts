import { NumberRows } from '../../inference/number-rows.ts';

/** How the rows of a request begin where they are not JSON. */
export const NUMBERS = 'numbers\n';

/** What rows of numbers are about: by the name of a column, its value in each row. */
export type About = Readonly<Record<string, readonly unknown[]>>;

export type SentNumbers = { readonly rows: NumberRows; readonly about: About };

const FLOAT4_OID = 700;
const FLOAT8_OID = 701;
const DIMENSIONS = 2;
const HEAD_BYTES = 4 * 7;
/** Of a NULL. */
const LEAST_BYTES = 4;

/**
 * Reads what the query of pgscore_models._rows_writer() wrote: columns of keys and which features are reals, as JSON;
 * below it, in base64, the numbers as array_send() of PostgreSQL gives an array of rows.
 * @throws Error for anything else
 */
export function readNumbers(text: string): SentNumbers {
  const end = text.indexOf('\n', NUMBERS.length);
  const { about, reals } = parseColumns(text.slice(NUMBERS.length, end));
  const rows = readArray(Buffer.from(text.slice(end), 'base64'), reals);
  checkAbout(about, rows.length);
  return { rows, about };
}

type Columns = { readonly about: About; readonly reals: ReadonlySet<number> };

function parseColumns(text: string): Columns {
  const { about, reals } = Object(JSON.parse(text)) as Record<string, unknown>;
  if (typeof about !== 'object' || about === null) throw new Error('there are no columns of keys');
  if (!Array.isArray(reals)) throw new Error('it is not said which features are reals');
  return { about: about as About, reals: new Set(reals) };
}

type Head = { readonly length: number; readonly width: number; readonly hasNulls: boolean; readonly isDouble: boolean };

/** Dimensions, whether there are NULLs, type, then length and first index of each dimension. */
function readHead(view: DataView): Head {
  if (view.byteLength < HEAD_BYTES) throw new Error('the array is cut off');
  const type = view.getInt32(8);
  if (view.getInt32(0) !== DIMENSIONS || (type !== FLOAT4_OID && type !== FLOAT8_OID)) throw new Error('no such array');
  const [length, width] = [view.getInt32(12), view.getInt32(20)];
  if (length < 1 || width < 1 || LEAST_BYTES * length * width > view.byteLength - HEAD_BYTES)
    throw new Error('the array is cut off');
  return { length, width, hasNulls: view.getInt32(4) !== 0, isDouble: type === FLOAT8_OID };
}

function readArray(bytes: Buffer, reals: ReadonlySet<number>): NumberRows {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length, width, hasNulls, isDouble } = readHead(view);
  const values = new Float64Array(length * width);
  const nulls = hasNulls ? new Uint8Array(values.length) : null;
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
  return new NumberRows(length, width, values, nulls, reals);
}

function checkAbout(about: About, length: number): void {
  for (const values of Object.values<unknown>(about))
    if (!Array.isArray(values) || values.length !== length) throw new Error('a column of keys has another length');
}
