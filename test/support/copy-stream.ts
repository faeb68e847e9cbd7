import type { Data, Vector } from 'apache-arrow';
import { CopyDecoder } from '../../src/copy/decode.ts';
import type { BatchLimits, FeatureColumn, SourceColumn, SqlType } from '../../src/copy/source-column.ts';
import type { DecodedBatch } from '../../src/copy/batch.ts';
import { HEADER, TRAILER } from '../../src/copy/format.ts';
import { viewed } from '../../src/lib/bytes.ts';

/** A value as it travels; null for NULL. */
export type WireValue = Buffer | null;

export const bool = (value: boolean) => Buffer.from([value ? 1 : 0]);
export const int2 = (value: number) => written(2, (bytes) => bytes.writeInt16BE(value));
export const int4 = (value: number) => written(4, (bytes) => bytes.writeInt32BE(value));
export const int8 = (value: bigint) => written(8, (bytes) => bytes.writeBigInt64BE(value));
export const float4 = (value: number) => written(4, (bytes) => bytes.writeFloatBE(value));
export const float8 = (value: number) => written(8, (bytes) => bytes.writeDoubleBE(value));
export const text = (value: string) => Buffer.from(value);

/** An array of one dimension, or of the given ones. */
export function array(elementOid: number, elements: readonly WireValue[], dimensions = [elements.length]): Buffer {
  const head = [
    int4(elements.length === 0 ? 0 : dimensions.length),
    int4(elements.includes(null) ? 1 : 0),
    int4(elementOid),
  ];
  const sizes = elements.length === 0 ? [] : dimensions.flatMap((size) => [int4(size), int4(1)]);
  return Buffer.concat([...head, ...sizes, ...elements.map(field)]);
}

/** pgvector's vector. */
export function vector(elements: readonly number[]): Buffer {
  return Buffer.concat([int2(elements.length), int2(0), ...elements.map(float4)]);
}

export function tuple(values: readonly WireValue[]): Buffer {
  return Buffer.concat([int2(values.length), ...values.map(field)]);
}

/** The rows as PostgreSQL would send them. */
export function copyStream(rows: readonly (readonly WireValue[])[]): Buffer {
  return Buffer.concat([HEADER, ...rows.map(tuple), TRAILER]);
}

export function key(name: string): SourceColumn {
  return { name, role: 'key' };
}

export function feature(name: string, type: SqlType, width = 1): FeatureColumn {
  return { name, role: 'feature', type, width };
}

/** Decodes a stream that arrives in the given pieces. */
export function decodePieces(
  columns: readonly SourceColumn[],
  pieces: readonly Buffer[],
  limits?: BatchLimits,
): DecodedBatch[] {
  const decoder = new CopyDecoder(columns, limits);
  for (const piece of pieces) decoder.push(viewed(piece));
  decoder.finish();
  const batches: DecodedBatch[] = [];
  for (let batch = decoder.take(); batch !== undefined; batch = decoder.take()) batches.push(batch);
  return batches;
}

/** Every value of a batch as Arrow itself reads it: the keys, the event time, then the features. */
export function plainRows({ rows, keys, eventTime, batch }: DecodedBatch): unknown[][] {
  const passed = (eventTime === null ? keys : [...keys, eventTime]).map(passedValues);
  const features = batch.schema.fields.map((_, index) => batch.getChildAt(index));
  return Array.from({ length: rows }, (_, row) => [
    ...passed.map((values) => values[row]),
    ...features.map((column) => plain(column?.get(row))),
  ]);
}

function passedValues(column: Data): (string | null)[] {
  return Array.from({ length: column.length }, (_, row) => {
    if (!column.getValid(row)) return null;
    return Buffer.from(column.values.subarray(column.valueOffsets[row], column.valueOffsets[row + 1])).toString('hex');
  });
}

function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? [...(value as Vector)] : value;
}

function written(length: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(length);
  write(bytes);
  return bytes;
}

function field(value: WireValue): Buffer {
  return value === null ? int4(-1) : Buffer.concat([int4(value.length), value]);
}
