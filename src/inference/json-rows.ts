import { Field, FixedSizeList, Float64, List, makeData, Uint8, Utf8, type Data, type RecordBatch } from 'apache-arrow';
import { recordBatch, Validity } from './record-batch.ts';
import type { RowError } from './predictions.ts';
import { arrayInWords, type Feature } from './signature.ts';

/** A row as JSON or CSV has it: feature name -> value, where null, undefined and a blank number are NULL. */
export type JsonRow = Readonly<Record<string, unknown>>;

type JsonBatch = { batch: RecordBatch; unread: Map<number, RowError> };

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
  if (!Array.isArray(parsed) || width !== 1) return parsed ?? null;
  return type === 'bool' ? parsed[0] === 1 : parsed[0];
}

/** Numbers of a feature (one, or its whole array), a text or an array of texts, or null; undefined for what can't be read. */
type Parsed = number[] | string[] | string | null | undefined;

function parse(feature: Feature, value: unknown): Parsed {
  const { type, width } = feature;
  if (value === null || value === undefined) return null;
  if (width !== 1) return value === '' ? null : parseArray(feature, value);
  if (type === 'string') return textOf(value);
  if (value === '') return null;
  return numbers([type === 'bool' ? TRUTHS[String(value as string).toLowerCase()] : value]);
}

function parseArray(feature: Feature, value: unknown): number[] | string[] | undefined {
  const items = flattened(arrayOf(value), feature);
  if (items === undefined || feature.type !== 'string') return items && numbers(items);
  const texts = items.map(textOf).filter((text) => text !== undefined);
  return texts.length === items.length ? texts : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'object' ? undefined : String(value as string | number | boolean);
}

function numbers(values: readonly unknown[]): number[] | undefined {
  const parsed = values.map(numberOf).filter((value) => value !== undefined);
  return parsed.length === values.length ? parsed : undefined;
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

function columnOf({ type, width }: Feature, parsed: readonly Parsed[]): Data {
  const validity = new Validity();
  parsed.forEach((value, row) => {
    if (value === null) validity.setNull(row);
  });
  const nulls = validity.take(parsed.length);
  const { length } = parsed;
  if (width === 0 || (width > 1 && type === 'string')) {
    const child =
      type === 'string' ? textData(parsed.flatMap(itemsOf)) : numberData(parsed.flatMap(itemsOf).map(Number));
    const list = new List(new Field('item', child.type, false));
    return makeData({
      type: list,
      length,
      child,
      valueOffsets: offsetsOf(parsed.map((value) => itemsOf(value).length)),
      ...nulls,
    });
  }
  if (type === 'string') return textData(parsed, nulls);
  const none = Array.from({ length: width }, () => 0);
  const cells = parsed.flatMap((value) => (Array.isArray(value) ? (value as number[]) : none));
  if (type === 'bool') return makeData({ type: new Uint8(), length, data: Uint8Array.from(cells), ...nulls });
  const values = numberData(cells);
  if (width === 1) return makeData({ type: new Float64(), length, data: values.values, ...nulls });
  const list = new FixedSizeList(width, new Field('item', new Float64(), false));
  return makeData({ type: list, length, child: values, ...nulls });
}

function itemsOf(value: Parsed): readonly (number | string)[] {
  return Array.isArray(value) ? value : [];
}

function numberData(values: readonly number[]): Data<Float64> {
  return makeData({ type: new Float64(), length: values.length, data: Float64Array.from(values) });
}

type Nulls = { readonly nullCount: number; readonly nullBitmap: Uint8Array | null };

function textData(values: readonly unknown[], nulls?: Nulls): Data<Utf8> {
  const encoded = values.map((value) => Buffer.from(typeof value === 'string' ? value : ''));
  const valueOffsets = offsetsOf(encoded.map(({ length }) => length));
  return makeData({ type: new Utf8(), length: values.length, valueOffsets, data: Buffer.concat(encoded), ...nulls });
}

function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, row) => {
    offsets[row + 1] = (offsets[row] ?? 0) + length;
  });
  return offsets;
}

function mistyped(feature: Feature): RowError {
  const { name, type, width } = feature;
  const wanted = width === 1 ? type : arrayInWords(feature);
  return { code: 'mistyped_value', message: `${name} is not ${wanted}`, feature: name };
}

type Shape = readonly (number | null)[];

/**
 * The elements of an array feature, row-major, out of JSON: nested as the model's dimensions are, or one list of them all.
 * undefined where it is neither, or has another length.
 */
export function flattened(
  value: unknown,
  { width, shape = [width || null] }: Pick<Feature, 'width' | 'shape'>,
): unknown[] | undefined {
  const given = typeof value === 'string' ? vectorOf(value) : value;
  if (!Array.isArray(given)) return undefined;
  const nested = given.some((item) => Array.isArray(item));
  const items = nested ? nestedItems(given, shape) : (given as unknown[]);
  return items === undefined || (width !== 0 && items.length !== width) ? undefined : items;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?/.source;
const VECTOR = new RegExp(`^\\[${NUMBER}(?:,${NUMBER})*\\]$`);

/** The numbers of a vector of pgvector, which to_jsonb() writes as a text; undefined for any other text. As pgscore_models._vector_array(). */
function vectorOf(text: string): unknown {
  return VECTOR.test(text) ? JSON.parse(text) : undefined;
}

function nestedItems(value: unknown, [size, ...inner]: Shape): unknown[] | undefined {
  if (size === undefined) return Array.isArray(value) ? undefined : [value];
  if (!Array.isArray(value) || (size !== null && value.length !== size)) return undefined;
  const parts = value.map((item) => nestedItems(item, inner));
  const found = parts.filter((part) => part !== undefined);
  const isEven = found.every(({ length }) => length === found[0]?.length);
  return found.length === parts.length && isEven ? found.flat() : undefined;
}

/** How deep the arrays of a feature may nest. */
export function depthOf({ width, shape }: Pick<Feature, 'width' | 'shape'>): number {
  return width === 1 ? 0 : (shape?.length ?? 1);
}

/** An array as JSON has it, or as JSON, PostgreSQL and pgvector write one as text; undefined for anything else. */
export function arrayOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^\[.*\]$/s.test(text)) return jsonArray(text) ?? elementsOfText(text.slice(1, -1));
  return /^\{.*\}$/s.test(text) ? elementsOfText(text) : undefined;
}

/** The array that a JSON text is; undefined for any other text. */
export function jsonArray(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const ELEMENT = /"((?:[^"\\]|\\.)*)"|[^,{}\s][^,{}]*/gs;

/** PostgreSQL's way to write an array; dimensions are not kept. */
function elementsOfText(text: string): unknown[] {
  return [...text.matchAll(ELEMENT)].map(([whole, quoted]) => {
    if (quoted !== undefined) return quoted.replaceAll(/\\(.)/gs, '$1');
    return whole.trim() === 'NULL' ? null : whole.trim();
  });
}
