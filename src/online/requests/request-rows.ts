import type { JsonRow } from '../../inference/json-rows.ts';
import { type FeatureRows, NumberRows } from '../../inference/number-rows.ts';
import { checkSize } from './json-size.ts';
import { noRow, RowRefusal, type Place } from './row-refusal.ts';
import { isSeveral, notSupported } from '../protocol/command.ts';
import { OTHER_RELEASE, WireError } from '../protocol/wire-error.ts';

/** What stands below the head of a request. */
export type Body = {
  readonly rows: FeatureRows;
  /** What rows of numbers are about, as far as it was sent; others say it themselves. */
  readonly about: About;
  /** Where they are not all that the caller has. */
  readonly place?: Place | undefined;
};

const PLACED = 'from ';
/** Which rows they are of those that the caller has. */
const PLACE = /^from (?<first>\d{1,9}) of (?<of>\d{1,9})\n/;

const NOTHING_ELSE: About = {};

export function readBody(text: string, mostRows: number): Body {
  // One row, most of all, without what it takes to say which of several they are.
  if (!text.startsWith(PLACED)) return readRows(text, mostRows);
  const { place, rows } = placed(text);
  return among(place, () => ({ ...readRows(rows, mostRows), place }));
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (isSeveral(text)) throw notSupported('this port answers one statement at a time');
    throw notJson(cause);
  }
}

export function invalid(reason: string): WireError {
  return new WireError('22023', `the request of score is not valid: ${reason}`, OTHER_RELEASE);
}

function placed(text: string): { place: Place | undefined; rows: string } {
  const found = text.startsWith(PLACED) ? PLACE.exec(text.slice(0, 40)) : null;
  if (found === null) return { place: undefined, rows: text };
  const place = { first: Number(found.groups?.['first']), of: Number(found.groups?.['of']) };
  return { place, rows: text.slice(found[0].length) };
}

function among<T>(place: Place | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw place !== undefined && error instanceof RowRefusal ? error.among(place) : error;
  }
}

function readRows(text: string, mostRows: number): Body {
  if (text.startsWith(NUMBERS)) {
    const sent = numbersOf(text);
    checkLength(sent.rows.length, mostRows);
    return sent;
  }
  checkSize(text);
  return { rows: checkRows(parse(text), mostRows), about: NOTHING_ELSE };
}

function numbersOf(text: string): SentNumbers {
  try {
    return readNumbers(text);
  } catch (cause) {
    if (cause instanceof WireError) throw cause;
    throw new WireError('22P02', 'the rows of score are not numbers as they are sent', { cause, ...OTHER_RELEASE });
  }
}

function checkRows(rows: unknown, mostRows: number): JsonRow[] {
  if (isObject(rows)) return [rows];
  if (!Array.isArray(rows) || rows.length === 0) throw invalid('below it is neither a row nor a list of rows');
  checkLength(rows.length, mostRows);
  const index = rows.findIndex((row) => !isObject(row));
  if (index >= 0) throw noRow(rows[index], index, rows.length);
  return rows as JsonRow[];
}

function checkLength(rows: number, mostRows: number): void {
  if (rows <= mostRows) return;
  throw new WireError('54000', `a call of ${rows} rows is past the limit of ${mostRows}`, {
    hint: 'Give fewer rows at a time, or score whole tables with pgscore.score_table().',
  });
}

function notJson(cause: unknown): WireError {
  return new WireError('22P02', 'the request of score is not JSON', { cause, ...OTHER_RELEASE });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How the rows of a request begin where they are not JSON. */
const NUMBERS = 'numbers\n';

/** What rows of numbers are about: by the name of a column, its value in each row. */
type About = Readonly<Record<string, readonly unknown[]>>;

type SentNumbers = { readonly rows: NumberRows; readonly about: About };

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
  const columns = text.slice(NUMBERS.length, end);
  checkSize(columns);
  const { about, reals } = parseColumns(columns);
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
