import { Binary, type Data, FixedSizeList, List, makeData, Utf8 } from 'apache-arrow';
import { recordBatch, Validity } from '../inference/record-batch.ts';
import type { RowError } from '../inference/predictions.ts';
import { viewed } from '../lib/bytes.ts';
import type { DecodedBatch } from './batch.ts';
import { BytesColumn } from './columns.ts';

/** Some rows of a batch, in the order of `rows`, as a batch of their own. */
export function takeRows(decoded: DecodedBatch, rows: readonly number[]): DecodedBatch {
  const { batch, keys, eventTime, segments, splits, hash, badRows } = decoded;
  const names = batch.schema.fields.map(({ name }) => name);
  const errors = rows.flatMap((row, at): [number, RowError][] => {
    const error = badRows.get(row);
    return error === undefined ? [] : [[at, error]];
  });
  return {
    rows: rows.length,
    batch: recordBatch(
      names,
      batch.data.children.map((column) => takeValues(column, rows)),
      rows.length,
    ),
    keys: keys.map((column) => takeBytes(column, rows)),
    eventTime: eventTime === null ? null : takeBytes(eventTime, rows),
    segments: segments.map((column) => takeBytes(column, rows)),
    splits: splits.map((column) => takeBytes(column, rows)),
    hash: hash === null ? null : takeBytes(hash, rows),
    badRows: new Map(errors),
  };
}

function takeValues(column: Data, rows: readonly number[]): Data {
  if (isBinary(column)) return takeBytes(column, rows);
  if (isUtf8(column)) return takeBytes(column, rows);
  const validity = validityOf(column, rows);
  const parts = { length: rows.length, ...validity.take(rows.length) };
  if (column.type instanceof FixedSizeList) {
    const width = column.type.listSize;
    const [elements] = column.children;
    if (elements === undefined) throw new Error('a column of vectors has no elements');
    const indexes = rows.flatMap((row) => Array.from({ length: width }, (_, at) => row * width + at));
    return makeData({ type: column.type, ...parts, child: takeValues(elements, indexes) });
  }
  if (column.type instanceof List) return takeArrays(column as Data<List>, rows, parts);
  const values: ArrayLike<unknown> & { constructor: unknown } = column.values;
  const taken = new (values.constructor as new (length: number) => Record<number, unknown>)(rows.length);
  for (const [at, row] of rows.entries()) taken[at] = values[row];
  return makeData({ type: column.type, ...parts, data: taken } as Parameters<typeof makeData>[0]);
}

function takeArrays(
  { type, children, valueOffsets }: Data<List>,
  rows: readonly number[],
  parts: { length: number; nullCount: number; nullBitmap: Uint8Array | null },
): Data {
  const [elements] = children;
  if (elements === undefined) throw new Error('a column of arrays has no elements');
  const indexes: number[] = [];
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, at) => {
    for (let index = valueOffsets[row] ?? 0; index < (valueOffsets[row + 1] ?? 0); index += 1) indexes.push(index);
    offsets[at + 1] = indexes.length;
  });
  return makeData({ type, ...parts, valueOffsets: offsets, child: takeValues(elements, indexes) });
}

function isBinary(column: Data): column is Data<Binary> {
  return column.type instanceof Binary;
}

function isUtf8(column: Data): column is Data<Utf8> {
  return column.type instanceof Utf8;
}

function takeBytes<T extends Binary | Utf8>(column: Data<T>, rows: readonly number[]): Data<T> {
  const taken = new BytesColumn<T>(column.type);
  const source = viewed(column.values as Uint8Array);
  taken.begin(rows.length);
  for (const [at, row] of rows.entries()) {
    if (column.nullCount > 0 && !column.getValid(row)) taken.setNull(at);
    else {
      const from = column.valueOffsets[row] ?? 0;
      taken.append(at, source, from, (column.valueOffsets[row + 1] ?? from) - from);
    }
  }
  return taken.finish(rows.length);
}

function validityOf(column: Data, rows: readonly number[]): Validity {
  const validity = new Validity();
  if (column.nullCount > 0) for (const [at, row] of rows.entries()) if (!column.getValid(row)) validity.setNull(at);
  return validity;
}
