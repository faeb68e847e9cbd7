import type { RecordBatch } from 'apache-arrow';
import { sameBytes } from '../lib/bytes.ts';
import { anyLengthFeed, elementsOf } from './arrays.ts';
import { castOf, columnOf, type ArrayColumn, type NumberColumn, type TextColumn } from './column.ts';
import { castToFeature, copyRow, emptyFeed, type Feed, type Cells, type NumberData } from './feed.ts';
import { nullFeature, outOfRange, type RowError } from './predictions.ts';
import type { Feature, ModelInput, Signature } from './signature.ts';

/**
 * The tensors of a batch, one an input, and the rows that can't be scored. Those rows hold the values of a good one, so
 * that a bad value never reaches the model; where `errors` has every row, the tensors mean nothing.
 */
export type Feeds = { readonly rows: number; readonly feeds: Feed[]; readonly errors: ReadonlyMap<number, RowError> };

/**
 * Turns the columns of a batch into the tensors of a model. `unread` are rows that the reader of the batch gave up: their
 * slots hold anything.
 * @throws PgscoreError feature_column_missing, feature_column_mistyped
 */
export function buildFeeds(
  batch: RecordBatch,
  { inputs, features }: Pick<Signature, 'inputs' | 'features'>,
  texts: TextCache,
  unread: ReadonlyMap<number, RowError> = new Map(),
): Feeds {
  const rows = batch.numRows;
  const errors = new Map(unread);
  const reject = (row: number, error: RowError) => {
    if (!errors.has(row)) errors.set(row, error);
  };
  const feeds = inputs.map((input) => {
    if (input.width === 0) return anyLength(batch, input, features, texts, reject);
    const feed = emptyFeed(input, rows);
    for (const feature of features) {
      if (feature.input === input.name) fill(batch, { feature, feed, rows, reject }, texts);
    }
    return feed;
  });
  coverBadRows(feeds, rows, errors);
  return { rows, feeds, errors };
}

function anyLength(
  batch: RecordBatch,
  input: ModelInput,
  features: readonly Feature[],
  texts: TextCache,
  reject: FeatureSlot['reject'],
): Feed {
  const feature = features.find((one) => one.input === input.name);
  if (feature === undefined) throw new Error(`no feature feeds ${input.name}`);
  const column = columnOf(batch, feature);
  if (column.kind !== 'array') {
    castOf(feature, column.kind, column.width);
    throw new Error(`the column of ${feature.name} is no array of any length`);
  }
  castOf(feature, column.elements.kind, 0);
  return anyLengthFeed(column, feature, input, { decode: decoder(texts), reject });
}

function decoder(texts: TextCache) {
  return (bytes: Uint8Array, start: number, end: number): string => texts.decode(bytes, start, end);
}

function fill(batch: RecordBatch, slot: FeatureSlot, texts: TextCache): void {
  const { feature } = slot;
  const column = columnOf(batch, feature);
  if (column.kind === 'array') {
    castOf(feature, column.elements.kind, feature.width === 1 ? 0 : feature.width);
    fillArrays(column, slot, texts);
    return;
  }
  castOf(feature, column.kind, column.width);
  if (column.kind === 'text') fillTexts(column, slot, texts);
  else if (feature.type !== 'string') fillNumbers(column, slot);
}

/** Puts the values of a good row in the place of the bad ones. */
export function coverBadRows(feeds: readonly Feed[], rows: number, errors: ReadonlyMap<number, RowError>): void {
  if (errors.size === 0 || errors.size >= rows) return;
  let good = 0;
  while (errors.has(good)) good += 1;
  for (const feed of feeds) {
    if (feed.offsets === undefined) for (const row of errors.keys()) copyRow(feed, good, feed, row);
  }
}

/** Where one feature is inside of a feed, and where its bad rows are noted. */
export type FeatureSlot = {
  readonly feature: Feature;
  readonly feed: Feed;
  readonly rows: number;
  readonly reject: (row: number, error: RowError) => void;
};

/** Puts what the version says of a missing value in its place: NaN, a default, or a bad row. */
export function fillMissing({ feature, feed, reject }: FeatureSlot, row: number, element: number, what: string): void {
  const { nulls } = feature;
  const at = row * feed.input.width + feature.position + element;
  const cells: Cells = feed.data;
  if (nulls === 'error') reject(row, nullFeature(feature, what));
  else cells[at] = nulls === 'nan' ? Number.NaN : cellOf(feature);
}

function cellOf({ type, default: value = 0 }: Feature): number | bigint | string {
  if (typeof value === 'string') return value;
  return type === 'int64' ? BigInt(value) : Number(value);
}

/** Casts a number column into the tensor of its feature, and decides on its NULLs, NaNs and what does not fit. */
function fillNumbers(column: NumberColumn, slot: FeatureSlot): void {
  const misfits: number[] = [];
  scatter(
    castToFeature(column, slot.feature, (index) => misfits.push(index)),
    slot,
  );
  const { width } = column;
  for (const row of column.nulls) {
    for (let element = 0; element < width; element += 1) fillMissing(slot, row, element, 'NULL');
  }
  if (slot.feature.nulls !== 'nan') fillNaNs(column, slot);
  if (misfits.length > 0) rejectMisfits(misfits, column, slot);
}

/** Columns to rows: 20 columns of 8,192 rows take 0.6 ms, a thirtieth of what 100 trees take to score them. */
function scatter(values: NumberData, { feature, feed, rows }: FeatureSlot): void {
  const cells: Cells & { set(values: ArrayLike<number | bigint>): void } = feed.data as NumberData;
  const step = feed.input.width;
  if (feature.width === step) {
    cells.set(values);
    return;
  }
  let at = feature.position;
  for (let row = 0; row < rows; row += 1, at += step) cells[at] = values[row] ?? 0;
}

/** A NaN in a float column is a missing value too. */
function fillNaNs({ kind, values, width, nulls }: NumberColumn, slot: FeatureSlot): void {
  if (kind !== 'float32' && kind !== 'float64') return;
  const isNull = new Set(nulls);
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value === value) continue;
    const row = Math.floor(index / width);
    if (!isNull.has(row)) fillMissing(slot, row, index % width, 'NaN');
  }
}

function rejectMisfits(misfits: readonly number[], { width, nulls }: NumberColumn, slot: FeatureSlot): void {
  const isNull = new Set(nulls);
  for (const index of misfits) {
    const row = Math.floor(index / width);
    if (!isNull.has(row)) slot.reject(row, outOfRange(slot.feature));
  }
}

/** Copies arrays of the feature's width; a row whose array has another is bad already. */
function fillArrays(column: ArrayColumn, slot: FeatureSlot, texts: TextCache): void {
  const { feature, feed, rows, reject } = slot;
  const data = elementsOf(column, feature, { decode: decoder(texts), reject });
  const cells: Cells = feed.data;
  for (let row = 0; row < rows; row += 1) {
    const [from = 0, to = 0] = column.lists.subarray(row, row + 2);
    for (let at = from; at < to; at += 1) cells[row * feed.input.width + feature.position + at - from] = data[at] ?? 0;
  }
  for (const row of column.nulls) {
    for (let element = 0; element < feature.width; element += 1) fillMissing(slot, row, element, 'NULL');
  }
}

/** Decodes a text column into the tensor of its feature. */
function fillTexts({ bytes, offsets, nulls }: TextColumn, slot: FeatureSlot, texts: TextCache): void {
  const { width } = slot.feed.input;
  const cells: Cells = slot.feed.data;
  let at = slot.feature.position;
  for (let row = 0; row < slot.rows; row += 1, at += width) {
    cells[at] = texts.decode(bytes, offsets[row] ?? 0, offsets[row + 1] ?? 0);
  }
  for (const row of nulls) fillMissing(slot, row, 0, 'NULL');
}

/** Slots of the cache, and the longest text that it keeps: at most 4096 categories of 64 bytes a model. */
const SLOTS = 4096;
const LONGEST = 64;

type Entry = { readonly bytes: Uint8Array; readonly text: string };

/**
 * Decodes UTF-8, remembering recent short texts: a column of categories repeats a few of them a million times. 35 ns a
 * value where decoding each takes 100.
 */
export class TextCache {
  readonly #entries: (Entry | undefined)[] = Array.from({ length: SLOTS });

  decode(source: Uint8Array, start: number, end: number): string {
    if (end - start > LONGEST) return decodeUtf8(source, start, end);
    const slot = hash(source, start, end) & (SLOTS - 1);
    const entry = this.#entries[slot];
    if (entry !== undefined && sameBytes(entry.bytes, source, start, end)) return entry.text;
    const text = decodeUtf8(source, start, end);
    this.#entries[slot] = { bytes: source.slice(start, end), text };
    return text;
  }
}

function decodeUtf8(source: Uint8Array, start: number, end: number): string {
  return Buffer.from(source.buffer, source.byteOffset + start, end - start).toString('utf8');
}

function hash(source: Uint8Array, start: number, end: number): number {
  let value = end - start;
  for (let at = start; at < end; at += 1) value = (Math.imul(value, 31) + (source[at] ?? 0)) | 0;
  return value;
}
