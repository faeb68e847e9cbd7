import type { RecordBatch } from 'apache-arrow';
import { anyLengthFeed, elementsOf } from './arrays.ts';
import { castOf, columnOf, type ArrayColumn, type NumberColumn, type TextColumn } from './column.ts';
import { castToFeature, copyRow, emptyFeed, type Feed, type Cells, type NumberData } from './feed.ts';
import { nullFeature, outOfRange, type RowError } from './predictions.ts';
import { isFloat, type Feature, type ModelInput, type Signature } from './signature.ts';

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
    const numbers: CastColumn[] = [];
    for (const feature of features) {
      if (feature.input === input.name) numbers.push(...fill(batch, { feature, feed, rows, reject }, texts));
    }
    layOut(numbers, feed, rows);
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

/** Puts texts and arrays into the tensor of their feature. Numbers are returned: those of all columns are laid out together. */
function fill(batch: RecordBatch, slot: FeatureSlot, texts: TextCache): CastColumn[] {
  const { feature } = slot;
  const column = columnOf(batch, feature);
  if (column.kind === 'array') {
    castOf(feature, column.elements.kind, feature.width === 1 ? 0 : feature.width);
    fillArrays(column, slot, texts);
    return [];
  }
  castOf(feature, column.kind, column.width);
  if (column.kind === 'text') fillTexts(column, slot, texts);
  else if (feature.type !== 'string') return [castColumn(column, slot)];
  return [];
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

/** The place of one feature inside of a feed, and where its bad rows are noted. */
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

/** A column of numbers as its feature takes them. `misfits`: the places of those that it can't hold. */
type CastColumn = {
  readonly column: NumberColumn;
  readonly slot: FeatureSlot;
  readonly values: NumberData;
  readonly misfits: readonly number[];
};

function castColumn(column: NumberColumn, slot: FeatureSlot): CastColumn {
  const misfits: number[] = [];
  const values = castToFeature(column, slot.feature, (index) => misfits.push(index));
  return { column, slot, values, misfits };
}

/** Rows that are laid out at a time: those of 20 columns stay in the processor's first cache. */
const TILE = 256;

/** Puts columns into rows, and settles their NULLs, NaNs and what does not fit. */
function layOut(columns: readonly CastColumn[], { data, input }: Feed, rows: number): void {
  // What was cast to a type without NaN tells nothing of it.
  const withNaN = new Set(columns.filter(({ slot }) => !isFloat(slot.feature.type)));
  for (let from = 0; from < rows; from += TILE) {
    const to = Math.min(from + TILE, rows);
    for (const column of columns) if (scatter(column, data as NumberData, input.width, from, to)) withNaN.add(column);
  }
  for (const cast of columns) settle(cast, withNaN.has(cast));
}

/** Copies rows `from` to `to` of a column to their places; says whether one of them is NaN. */
function scatter({ values, slot }: CastColumn, data: NumberData, step: number, from: number, to: number): boolean {
  const cells: Cells & { set(values: ArrayLike<number | bigint>, at: number): void } = data;
  if (slot.feature.width === step) {
    cells.set(values.subarray(from * step, to * step), from * step);
    return true;
  }
  let hasNaN = false;
  let at = from * step + slot.feature.position;
  for (let row = from; row < to; row += 1, at += step) {
    const value = values[row] ?? 0;
    cells[at] = value;
    if (value !== value) hasNaN = true;
  }
  return hasNaN;
}

function settle({ column, slot, misfits }: CastColumn, mayHoldNaN: boolean): void {
  for (const row of column.nulls) {
    for (let element = 0; element < column.width; element += 1) fillMissing(slot, row, element, 'NULL');
  }
  if (slot.feature.nulls !== 'nan' && mayHoldNaN) fillNaNs(column, slot);
  if (misfits.length > 0) rejectMisfits(misfits, column, slot);
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
    if (entry !== undefined && holds(entry.bytes, source, start, end)) return entry.text;
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

function holds(bytes: Uint8Array, source: Uint8Array, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] !== source[start + at]) return false;
  return true;
}
