import { Field, FixedSizeList, Float64, makeData, Uint8, Utf8, type Data, type RecordBatch } from 'apache-arrow';
import { recordBatch, Validity } from './record-batch.ts';
import type { RowError } from './predictions.ts';
import type { Feature } from './signature.ts';

/** A row as JSON or CSV has it: feature name -> value, where null, undefined and a blank number are NULL. */
export type JsonRow = Readonly<Record<string, unknown>>;

export type JsonBatch = { batch: RecordBatch; unread: Map<number, RowError> };

/** Rows of plain values as a batch. A value that is nothing like its feature makes the row one that can't be scored. */
export function batchOfRows(features: readonly Feature[], rows: readonly JsonRow[]): JsonBatch {
  const unread = new Map<number, RowError>();
  const columns = features.map((feature) => {
    const values = rows.map((row) => (Object.hasOwn(row, feature.name) ? row[feature.name] : undefined));
    const parsed = values.map((value) => parse(feature, value));
    parsed.forEach((value, row) => {
      if (value === undefined && !unread.has(row)) unread.set(row, mistyped(feature));
    });
    return columnOf(feature, parsed);
  });
  const names = features.map(({ name }) => name);
  return { batch: recordBatch(names, columns, rows.length), unread };
}

/** The features of a row as its batch has them: numbers, truths, arrays of numbers and texts, whatever they were written as. */
export function readRow(features: readonly Feature[], row: JsonRow): JsonRow {
  return Object.fromEntries(
    features.map((feature) => [feature.name, plain(feature, parse(feature, row[feature.name]))]),
  );
}

function plain({ type, width }: Feature, parsed: Parsed): unknown {
  if (!Array.isArray(parsed) || width > 1) return parsed ?? null;
  return type === 'bool' ? parsed[0] === 1 : parsed[0];
}

/** Numbers of a feature (one, or its whole array), a text, or null; undefined for what can't be read. */
type Parsed = number[] | string | null | undefined;

function parse({ type, width }: Feature, value: unknown): Parsed {
  if (value === null || value === undefined) return null;
  if (type === 'string') return typeof value === 'object' ? undefined : String(value as string | number | boolean);
  if (value === '') return null;
  if (width > 1) return numbers(elementsOf(value), width);
  return numbers([type === 'bool' ? truth(value) : value], 1);
}

function numbers(values: readonly unknown[], width: number): number[] | undefined {
  const parsed = values.map(numberOf).filter((value) => value !== undefined);
  return parsed.length === width && values.length === width ? parsed : undefined;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  if (/^\s*nan\s*$/i.test(value)) return Number.NaN;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}

const TRUTHS: Readonly<Record<string, boolean>> = {
  true: true,
  t: true,
  '1': true,
  false: false,
  f: false,
  '0': false,
};

function truth(value: unknown): boolean | undefined {
  return TRUTHS[String(value as string).toLowerCase()];
}

/** An array of JSON, or PostgreSQL's and pgvector's ways to write one as text. */
function elementsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const inside = typeof value === 'string' ? /^\s*[[{](.*)[\]}]\s*$/s.exec(value)?.[1] : undefined;
  return inside === undefined ? [] : inside.split(',');
}

function columnOf({ type, width }: Feature, parsed: readonly Parsed[]): Data {
  const validity = new Validity();
  parsed.forEach((value, row) => {
    if (value === null) validity.setNull(row);
  });
  const nulls = validity.take(parsed.length);
  const { length } = parsed;
  if (type === 'string') return makeData({ type: new Utf8(), length, ...texts(parsed), ...nulls });
  const cells = parsed.flatMap((value) => (Array.isArray(value) ? value : Array.from({ length: width }, () => 0)));
  if (type === 'bool') return makeData({ type: new Uint8(), length, data: Uint8Array.from(cells), ...nulls });
  const values = makeData({ type: new Float64(), length: cells.length, data: Float64Array.from(cells) });
  if (width === 1) return makeData({ type: new Float64(), length, data: values.values, ...nulls });
  const list = new FixedSizeList(width, new Field('item', new Float64(), false));
  return makeData({ type: list, length, child: values, ...nulls });
}

function texts(parsed: readonly Parsed[]): { valueOffsets: Int32Array; data: Uint8Array } {
  const encoded = parsed.map((value) => Buffer.from(typeof value === 'string' ? value : ''));
  const valueOffsets = new Int32Array(encoded.length + 1);
  encoded.forEach((bytes, row) => {
    valueOffsets[row + 1] = (valueOffsets[row] ?? 0) + bytes.length;
  });
  return { valueOffsets, data: Buffer.concat(encoded) };
}

function mistyped({ name, type, width }: Feature): RowError {
  const wanted = width === 1 ? type : `an array of ${width} numbers`;
  return { code: 'mistyped_value', message: `${name} is not ${wanted}`, feature: name };
}
