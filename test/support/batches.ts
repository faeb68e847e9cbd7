import {
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  Int64,
  makeData,
  Uint8,
  Utf8,
  type Data,
  type RecordBatch,
} from 'apache-arrow';
import { recordBatch, Validity } from '../../src/inference/record-batch.ts';

function nullBitmap(rows: number, nulls: readonly number[]) {
  const validity = new Validity();
  nulls.forEach((row) => validity.setNull(row));
  return validity.take(rows);
}

/** Columns as the reader of a COPY stream makes them. `null` is NULL, with a slot that holds what must not be read. */
export function real(values: (number | null)[]): Data {
  return numbers(
    values,
    new Float32(),
    Float32Array.from(values, (value) => value ?? 12345),
  );
}

export function double(values: (number | null)[]): Data {
  return numbers(
    values,
    new Float64(),
    Float64Array.from(values, (value) => value ?? 1e300),
  );
}

export function integer(values: (number | null)[]): Data {
  return numbers(
    values,
    new Int32(),
    Int32Array.from(values, (value) => value ?? 12345),
  );
}

export function bigint(values: (bigint | null)[]): Data {
  return numbers(
    values,
    new Int64(),
    BigInt64Array.from(values, (value) => value ?? 2n ** 62n),
  );
}

export function boolean(values: (boolean | null)[]): Data {
  return numbers(
    values,
    new Uint8(),
    Uint8Array.from(values, (value) => Number(value ?? true)),
  );
}

export function text(values: (string | null)[]): Data {
  const encoded = values.map((value) => Buffer.from(value ?? ''));
  const valueOffsets = new Int32Array(values.length + 1);
  encoded.forEach((bytes, row) => (valueOffsets[row + 1] = valueOffsets[row]! + bytes.length));
  return makeData({
    type: new Utf8(),
    length: values.length,
    valueOffsets,
    data: Buffer.concat(encoded),
    ...nullBitmap(values.length, nullsOf(values)),
  });
}

export function vector(width: number, rows: (number[] | null)[]): Data {
  const cells = Float32Array.from(rows.flatMap((row) => row ?? Array.from({ length: width }, () => 12345)));
  const child = makeData({ type: new Float32(), length: cells.length, data: cells });
  const type = new FixedSizeList(width, new Field('item', new Float32(), false));
  return makeData({ type, length: rows.length, child, ...nullBitmap(rows.length, nullsOf(rows)) });
}

export function batchOf(columns: Record<string, Data>): RecordBatch {
  const [first] = Object.values(columns);
  return recordBatch(Object.keys(columns), Object.values(columns), first?.length ?? 0);
}

function numbers<T extends Float32 | Float64 | Int32 | Int64 | Uint8>(
  values: readonly unknown[],
  type: T,
  data: T['TArray'],
): Data {
  return makeData({ type, length: values.length, data, ...nullBitmap(values.length, nullsOf(values)) } as never);
}

function nullsOf(values: readonly unknown[]): number[] {
  return values.flatMap((value, row) => (value === null ? [row] : []));
}
