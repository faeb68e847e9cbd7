import { Binary, type Data, List, makeData, Utf8 } from 'apache-arrow';
import { Validity } from '../inference/record-batch.ts';
import type { DecodedBatch } from './batch.ts';

/** The hashes of some rows, 64 bits each in two halves. */
export type RowHashes = { readonly low: Int32Array; readonly high: Int32Array };

/** Two words that stand for a NULL, where any value has one. */
const NULL_WORDS = [0x6e756c6c, 0x4e554c4c] as const;
/** The length of a NULL among byte strings. */
const NULL_LENGTH = -1;

/**
 * Hashes rows by all that a prediction depends on: key, features, event time and segments, by their bits. It goes column by
 * column, in two lanes: 4 ns a value.
 *
 * @param seed hexadecimal digits; rows that are hashed with another seed have other hashes
 */
export class RowHasher {
  readonly #seed: readonly [number, number];

  constructor(seed: string) {
    this.#seed = [parseInt(seed.slice(0, 8), 16) | 0, parseInt(seed.slice(8, 16), 16) | 0];
  }

  of({ rows, keys, batch, eventTime, segments, splits }: DecodedBatch): RowHashes {
    const lanes = { low: new Int32Array(rows).fill(this.#seed[0]), high: new Int32Array(rows).fill(this.#seed[1]) };
    for (const column of keys) mixBytes(lanes, column);
    for (const column of batch.data.children) mixColumn(lanes, column);
    if (eventTime !== null) mixBytes(lanes, eventTime);
    for (const column of [...segments, ...splits]) mixBytes(lanes, column);
    finish(lanes);
    return lanes;
  }
}

function mixColumn(lanes: RowHashes, column: Data): void {
  if (isBytes(column)) return mixBytes(lanes, column);
  if (column.type instanceof List) return mixLists(lanes, column as Data<List>);
  // The elements of a vector are those of all rows, one after the other.
  const words = wordsOf(column.children[0] ?? column);
  const ofRow = words.length / lanes.low.length;
  for (let at = 0; at < ofRow; at += 1) {
    if (column.nullCount === 0) mixWords(lanes, words, ofRow, at);
    else mixNullable(lanes, words, ofRow, at, column);
  }
}

function isBytes(column: Data): column is Data<Binary | Utf8> {
  return column.type instanceof Binary || column.type instanceof Utf8;
}

/** The values of a column of numbers as 32-bit words; those of a boolean one have a word each. */
function wordsOf({ values }: Data): Int32Array {
  if (values instanceof Uint8Array) return Int32Array.from(values);
  const { buffer, byteOffset, byteLength } = values as Int32Array;
  return new Int32Array(buffer, byteOffset, byteLength / 4);
}

/** In a function of its own, for columns without NULLs: its loop sees one kind of array. */
function mixWords(lanes: RowHashes, words: Int32Array, step: number, first: number): void {
  for (let row = 0, at = first; row < lanes.low.length; row += 1, at += step) mix(lanes, row, words[at] ?? 0);
}

function mixNullable(lanes: RowHashes, words: Int32Array, step: number, first: number, column: Data): void {
  for (let row = 0; row < lanes.low.length; row += 1) {
    if (column.getValid(row)) mix(lanes, row, words[first + row * step] ?? 0);
    else for (const word of NULL_WORDS) mix(lanes, row, word);
  }
}

function mixBytes(lanes: RowHashes, column: Data<Binary | Utf8>): void {
  const values = column.values as Uint8Array;
  const { valueOffsets: offsets } = column;
  for (let row = 0; row < lanes.low.length; row += 1) {
    if (column.nullCount > 0 && !column.getValid(row)) {
      mix(lanes, row, NULL_LENGTH);
      continue;
    }
    mixText(lanes, row, values, offsets[row] ?? 0, offsets[row + 1] ?? 0);
  }
}

function mixText(lanes: RowHashes, row: number, values: Uint8Array, from: number, to: number): void {
  mix(lanes, row, to - from);
  for (let at = from; at < to; at += 4) mix(lanes, row, wordAt(values, at, to));
}

/** Arrays of any length, and those of texts: the length, then each element. */
function mixLists(lanes: RowHashes, column: Data<List>): void {
  const { valueOffsets: lists } = column;
  const mixElements = elementsMixer(lanes, column.children[0] as Data);
  for (let row = 0; row < lanes.low.length; row += 1) {
    if (column.nullCount > 0 && !column.getValid(row)) {
      mix(lanes, row, NULL_LENGTH);
      continue;
    }
    const [from = 0, to = 0] = lists.subarray(row, row + 2);
    mix(lanes, row, to - from);
    mixElements(row, from, to);
  }
}

function elementsMixer(lanes: RowHashes, elements: Data): (row: number, from: number, to: number) => void {
  if (isBytes(elements)) {
    const { valueOffsets: offsets } = elements;
    const values = elements.values as Uint8Array;
    return (row, from, to) => {
      for (let at = from; at < to; at += 1) mixText(lanes, row, values, offsets[at] ?? 0, offsets[at + 1] ?? 0);
    };
  }
  const words = wordsOf(elements);
  const ofElement = words.length / elements.length;
  return (row, from, to) => {
    for (let at = from * ofElement; at < to * ofElement; at += 1) mix(lanes, row, words[at] ?? 0);
  };
}

/** Up to four bytes, the missing ones as zeros: the length was mixed before. */
function wordAt(values: Uint8Array, at: number, to: number): number {
  const third = at + 2 < to ? (values[at + 2] ?? 0) << 16 : 0;
  const fourth = at + 3 < to ? (values[at + 3] ?? 0) << 24 : 0;
  return (values[at] ?? 0) | (at + 1 < to ? (values[at + 1] ?? 0) << 8 : 0) | third | fourth;
}

/** No two words lead from one state to the same: what cancels out in one lane does not in the other, which is turned further. */
function mix({ low, high }: RowHashes, row: number, word: number): void {
  const x = Math.imul((low[row] ?? 0) ^ word, 0x239b961b);
  const y = Math.imul((high[row] ?? 0) ^ word, 0x38b34ae5);
  const turned = (y << 19) | (y >>> 13);
  low[row] = ((x << 13) | (x >>> 19)) + turned;
  high[row] = turned;
}

/** Has every bit depend on every other. */
function finish({ low, high }: RowHashes): void {
  for (let row = 0; row < low.length; row += 1) {
    const x = avalanche(((low[row] ?? 0) + (high[row] ?? 0)) | 0);
    const y = avalanche(((high[row] ?? 0) + x) | 0);
    low[row] = x + y;
    high[row] = y;
  }
}

function avalanche(word: number): number {
  let x = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** Hashes as the values of a bigint column; NULL for rows that have an error, which are to be scored again. */
export function hashColumn({ low, high }: RowHashes, errors: ReadonlyMap<number, unknown>): Data<Binary> {
  const rows = low.length;
  const view = new DataView(new ArrayBuffer(8 * rows));
  for (let row = 0; row < rows; row += 1) {
    view.setInt32(8 * row, high[row] ?? 0);
    view.setInt32(8 * row + 4, low[row] ?? 0);
  }
  const validity = new Validity();
  for (const row of errors.keys()) validity.setNull(row);
  const valueOffsets = Int32Array.from({ length: rows + 1 }, (_, row) => 8 * row);
  const data = new Uint8Array(view.buffer);
  return makeData({ type: new Binary(), length: rows, valueOffsets, data, ...validity.take(rows) });
}
