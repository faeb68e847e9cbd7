import type { JsonRow } from '../../inference/json-rows.ts';
import { type FeatureRows, NumberRows } from '../../inference/number-rows.ts';
import { noRow, RowRefusal, type RowRange } from './row-refusal.ts';
import { OTHER_RELEASE, WireError } from '../protocol/wire-error.ts';

/** What stands below the head of a request. */
export type Body = {
  readonly rows: FeatureRows;
  /** What rows of numbers are about, as far as it was sent; others say it themselves. */
  readonly about: About;
  /** Where they are not all that the caller has. */
  readonly range?: RowRange | undefined;
};

const WITH_RANGE = 'from ';
/** Which rows they are of those that the caller has. */
const RANGE = /^from (?<first>\d{1,9}) of (?<of>\d{1,9})\n/;

const NOTHING_ELSE: About = {};

export function readBody(text: string, mostRows: number): Body {
  // One row, most of all, without what it takes to say which of several they are.
  if (!text.startsWith(WITH_RANGE)) return readRows(text, mostRows);
  const { range, rows } = splitRange(text);
  return renumbering(range, () => ({ ...readRows(rows, mostRows), range }));
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WireError('22P02', 'the request of score is not JSON', { cause, ...OTHER_RELEASE });
  }
}

export function invalid(reason: string): WireError {
  return new WireError('22023', `the request of score is not valid: ${reason}`, OTHER_RELEASE);
}

function splitRange(text: string): { range: RowRange | undefined; rows: string } {
  const found = text.startsWith(WITH_RANGE) ? RANGE.exec(text.slice(0, 40)) : null;
  if (found === null) return { range: undefined, rows: text };
  const range = { first: Number(found.groups?.['first']), of: Number(found.groups?.['of']) };
  return { range, rows: text.slice(found[0].length) };
}

function renumbering<T>(range: RowRange | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw range !== undefined && error instanceof RowRefusal ? error.renumbered(range) : error;
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

/** What JSON takes to parse: a number of a list 50 ns and 8 bytes, a text, a key, a list or an object up to 1.4 µs and 90 bytes. */
const MARK = 20;
/** More than score_rows() sends: 1 MB of the shortest keys and lists. It takes 0.5 s to parse. */
const MOST = 8_000_000;

const [QUOTE, BACKSLASH, COMMA, LIST, OBJECT] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];

/**
 * Counts the brackets, commas and quotes in rows of JSON before they are parsed.
 * @throws WireError 54000 where there are more of these than can be meant
 */
export function checkSize(text: string, most = MOST): void {
  // What is shorter can't hold so many.
  if (text.length * MARK <= most) return;
  let size = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at + 1);
    if (code === COMMA) size += 1;
    else if (code === QUOTE || code === LIST || code === OBJECT) size += MARK;
  }
  if (size > most) throw tooLarge(most);
}

function endOfString(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); at < text.length && code !== QUOTE; code = text.charCodeAt(at))
    at += code === BACKSLASH ? 2 : 1;
  return at;
}

function tooLarge(most: number): WireError {
  const limit = `${most / MARK} keys, texts, lists and objects, or ${most} numbers`;
  return new WireError('54000', `the rows of a call hold more than ${limit}`, {
    hint: 'Give fewer rows at a time, or only the columns that the model takes; score whole tables with pgscore.score_table().',
  });
}
