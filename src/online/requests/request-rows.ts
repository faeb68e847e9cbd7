import type { JsonRow } from '../../inference/json-rows.ts';
import type { FeatureRows } from '../../inference/number-rows.ts';
import { cutRows, piecesOf } from './cut-rows.ts';
import { oneStep } from './one-step.ts';
import { NUMBERS, readNumbers, type About, type SentNumbers } from './read-numbers.ts';
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

/** A long body that was looked through: what it will take of memory, and how it is read, step by step. */
export type LongBody = { readonly bytes: number; readonly read: () => Iterator<void, Body> };

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

/** @throws WireError 54000 where there is more in it than can be meant */
export function readLongBody(text: string, mostRows: number): LongBody {
  const { place, rows } = placed(text);
  if (!rows.startsWith(NUMBERS)) return readLongList(Buffer.from(rows), mostRows, place);
  const columns = rows.slice(0, rows.indexOf('\n', NUMBERS.length));
  const { bytes } = among(place, () => cutRows(Buffer.from(columns)));
  return { bytes: bytes + rows.length, read: () => oneStep(() => readBody(text, mostRows)) };
}

function readLongList(list: Buffer, mostRows: number, place: Place | undefined): LongBody {
  const { bytes, cuts } = among(place, () => cutRows(list));
  const whole = (): Body => ({ rows: checkRows(parse(list.toString()), mostRows), about: {}, place });
  if (cuts.length === 0) return { bytes, read: () => oneStep(() => among(place, whole)) };
  return { bytes, read: () => readPieces(piecesOf(list, cuts), mostRows, place) };
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

function* readPieces(pieces: Iterable<string>, mostRows: number, place: Place | undefined): Generator<void, Body> {
  const rows: unknown[] = [];
  for (const piece of pieces) {
    const some = parse(piece);
    // Between two commas there is a row.
    if (!Array.isArray(some) || some.length === 0) throw notJson(undefined);
    for (const row of some) rows.push(row);
    checkLength(rows.length, mostRows);
    yield;
  }
  return among(place, () => ({ rows: checkRows(rows, mostRows), about: {}, place }));
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
  return { rows: checkRows(parse(text), mostRows), about: NOTHING_ELSE };
}

function numbersOf(text: string): SentNumbers {
  try {
    return readNumbers(text);
  } catch (cause) {
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
    hint: 'Score whole tables with pgscore.score_table(); --gateway-queue-rows of the service sets the limit.',
  });
}

function notJson(cause: unknown): WireError {
  return new WireError('22P02', 'the request of score is not JSON', { cause, ...OTHER_RELEASE });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
