import { makeData, Float32, Float64, Uint8, Utf8 } from 'apache-arrow';
import type { Data, RecordBatch } from 'apache-arrow';
import { recordBatch } from '../arrow/record-batch.ts';
import { Validity } from '../arrow/validity.ts';
import { groupedBy } from '../lib/grouped-by.ts';
import type { JsonRow } from '../model/json-rows.ts';
import { NumberRows } from '../model/number-rows.ts';
import { watchedFeatures } from '../model/watched-features.ts';
import type { SettledCall } from './settled-call.ts';

/** The features that rows of one version were scored by, those that are watched, as columns; and when each row was asked about. */
export type CallFeatures = {
  readonly versionId: number;
  readonly batch: RecordBatch;
  /** In microseconds since 2000. */
  readonly instants: readonly number[];
};

/** The features of calls that were answered, an element a version. */
export function featuresOf(calls: readonly SettledCall[], isWatched: (versionId: number) => boolean): CallFeatures[] {
  const answered = calls.filter(
    ({ answered: answer, request }) => answer !== undefined && isWatched(request.versionId),
  );
  return [...groupedBy(answered, ({ request }) => request.versionId)].map(([versionId, some]) => ({
    versionId,
    batch: columnsOf(some),
    instants: instantsOf(some),
  }));
}

function instantsOf(calls: readonly SettledCall[]): number[] {
  const instants: number[] = [];
  for (const { rows, instant } of calls) for (let row = 0; row < rows.length; row += 1) instants.push(instant);
  return instants;
}

function columnsOf(calls: readonly SettledCall[]): RecordBatch {
  const features = calls[0]?.answered?.signature.features ?? [];
  const length = calls.reduce((sum, { rows }) => sum + rows.length, 0);
  // Of a version with others than numbers all are.
  const rows = calls.flatMap((call) => (call.rows instanceof NumberRows ? [] : call.rows));
  const places = new Map(features.map(({ name }, index) => [name, index]));
  const names = watchedFeatures(features).map(({ name }) => name);
  const room = roomOf(calls, names.length * length);
  const columns = names.map((name, index) => {
    const place = places.get(name) ?? 0;
    const type = features[place]?.type;
    if (type === 'string') return textColumn(rows, name);
    return type === 'bool'
      ? truthColumn(rows, name)
      : numberColumn(calls, name, place, room.subarray(index * length, (index + 1) * length));
  });
  return recordBatch(names, columns, length);
}

/** One for all columns: to make them and to take them down takes the more time the more there are, and the larger they are. */
function roomOf(calls: readonly SettledCall[], numbers: number): Float64Array | Float32Array {
  const areReals = calls.every(({ rows }) => rows instanceof NumberRows && rows.areReals);
  return areReals ? new Float32Array(numbers) : new Float64Array(numbers);
}

/** A number that is missing is NaN, which the monitor takes for the same. */
function numberColumn(
  calls: readonly SettledCall[],
  name: string,
  place: number,
  data: Float64Array | Float32Array,
): Data {
  let at = 0;
  for (const { rows } of calls) {
    for (let row = 0; row < rows.length; row += 1, at += 1) {
      const value = rows instanceof NumberRows ? rows.get(row, place) : rows[row]?.[name];
      data[at] = typeof value === 'number' ? value : otherNumber(value);
    }
  }
  const type = data instanceof Float32Array ? new Float32() : new Float64();
  return makeData({ type, length: data.length, nullCount: 0, data });
}

/** JSON has no infinity: PostgreSQL writes it as a text. */
function otherNumber(value: unknown): number {
  return value === null || value === undefined ? Number.NaN : Number(value);
}

function truthColumn(rows: readonly JsonRow[], name: string): Data {
  const validity = validityOf(rows, name);
  const data = Uint8Array.from(rows, (row) => Number(row[name] === true));
  return makeData({ type: new Uint8(), length: rows.length, data, ...validity });
}

function textColumn(rows: readonly JsonRow[], name: string): Data {
  const texts = rows.map((row) => {
    const value = row[name];
    return typeof value === 'string' ? value : '';
  });
  const encoded = texts.map((text) => Buffer.from(text));
  const data = Buffer.concat(encoded);
  const valueOffsets = new Int32Array(rows.length + 1);
  encoded.forEach(({ length }, index) => {
    valueOffsets[index + 1] = (valueOffsets[index] ?? 0) + length;
  });
  return makeData({ type: new Utf8(), length: rows.length, valueOffsets, data, ...validityOf(rows, name) });
}

function validityOf(rows: readonly JsonRow[], name: string): { nullCount: number; nullBitmap: Uint8Array | null } {
  const validity = new Validity();
  rows.forEach((row, index) => {
    if (row[name] === null || row[name] === undefined) validity.setNull(index);
  });
  return validity.take(rows.length);
}
