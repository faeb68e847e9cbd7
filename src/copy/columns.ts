import {
  type Data,
  makeData,
  type Float32,
  type Float64,
  type Int32,
  type Int64,
  type Uint8,
  type Binary,
  type Utf8,
  Field,
  FixedSizeList,
  List,
} from 'apache-arrow';
import type { RowError } from '../inference/predictions.ts';
import { Validity } from '../inference/record-batch.ts';
import { copyBytes, viewed, type ViewedBytes } from '../lib/bytes.ts';

/**
 * A column under construction. Readers write straight into its arrays, and `finish` hands those arrays to Arrow as they
 * are; so every batch begins with new ones.
 */
export interface ColumnBuilder {
  /** Allocates the arrays of one batch, with room for `rows`. */
  begin(rows: number): void;
  /** Makes room for `rows`, which are more; what was written stays. */
  grow(rows: number): void;
  /** Marks `row` as NULL; what its slot holds then means nothing. */
  setNull(row: number): void;
  /** The first `rows` rows as Arrow data that shares the arrays. */
  finish(rows: number): Data;
}

/** How the values of one column are read, decided once. */
export interface ValueReader {
  readonly column: ColumnBuilder;
  /**
   * Reads the `length` bytes at `at` as the value of `row`. Returns why that row can't be scored, where it can't; raises
   * `copy_protocol` for bytes that are no value of the column's type.
   */
  read(chunk: ViewedBytes, at: number, length: number, row: number): RowError | undefined;
}

export type NumberType = Uint8 | Int32 | Int64 | Float32 | Float64;

/** A column of numbers of one width. `words` are the same bytes as `values`, for readers that move bits. */
export class NumberColumn<T extends NumberType> implements ColumnBuilder {
  readonly #type: T;
  readonly #validity = new Validity();
  values: T['TArray'];
  words: Int32Array;

  constructor(type: T) {
    this.#type = type;
    this.values = new type.ArrayType(0);
    this.words = new Int32Array(0);
  }

  begin(rows: number): void {
    // Whole words, so that a Uint8 column of any length can be viewed as Int32.
    const buffer = new ArrayBuffer((rows * this.#type.ArrayType.BYTES_PER_ELEMENT + 3) & ~3);
    this.values = new this.#type.ArrayType(buffer, 0, rows);
    this.words = new Int32Array(buffer);
  }

  grow(rows: number): void {
    const written = this.words;
    this.begin(rows);
    this.words.set(written);
  }

  setNull(row: number): void {
    this.#validity.setNull(row);
  }

  finish(rows: number): Data<T> {
    const data = this.values.subarray(0, rows);
    const parts = { type: this.#type, length: rows, data, ...this.#validity.take(rows) };
    return makeData<T>(parts);
  }
}

/** A column of byte strings: one buffer that grows, and where each row ends in it. */
export class BytesColumn<T extends Binary | Utf8> implements ColumnBuilder {
  readonly #type: T;
  readonly #validity = new Validity();
  #offsets = new Int32Array(0);
  #target = viewed(new Uint8Array(0));
  #used = 0;
  #rowBytes = 8;

  constructor(type: T) {
    this.#type = type;
  }

  begin(rows: number): void {
    this.#offsets = new Int32Array(rows + 1);
    this.#target = viewed(new Uint8Array(rows * this.#rowBytes));
    this.#used = 0;
  }

  grow(rows: number): void {
    const offsets = new Int32Array(rows + 1);
    offsets.set(this.#offsets);
    this.#offsets = offsets;
    this.#makeRoom(rows * this.#rowBytes);
  }

  /** Copies `length` bytes of `source` in as the value of `row`. Rows come in order. */
  append(row: number, source: ViewedBytes, start: number, length: number): void {
    const used = this.#used + length;
    if (used > this.#target.bytes.length) this.#makeRoom(Math.max(used, this.#target.bytes.length * 2));
    copyBytes(source, start, start + length, this.#target, this.#used);
    this.#used = used;
    this.#offsets[row + 1] = used;
  }

  setNull(row: number): void {
    this.#validity.setNull(row);
    this.#offsets[row + 1] = this.#used;
  }

  finish(rows: number): Data<T> {
    // The next batch of the same column will hold about as much.
    this.#rowBytes = Math.max(1, Math.ceil((1.125 * this.#used) / Math.max(1, rows)));
    const valueOffsets = this.#offsets.subarray(0, rows + 1);
    const data = this.#target.bytes.subarray(0, this.#used);
    const parts = { type: this.#type, length: rows, valueOffsets, data, ...this.#validity.take(rows) };
    return makeData<T>(parts);
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#target.bytes.length) return;
    const grown = viewed(new Uint8Array(bytes));
    grown.bytes.set(this.#target.bytes.subarray(0, this.#used));
    this.#target = grown;
  }
}

/** A column of vectors of one width, held as a row-major matrix [rows, width]. */
export class ListColumn<T extends NumberType> implements ColumnBuilder {
  readonly width: number;
  readonly #type: FixedSizeList<T>;
  readonly #validity = new Validity();
  readonly elements: NumberColumn<T>;

  constructor(type: T, width: number) {
    this.width = width;
    this.#type = new FixedSizeList(width, new Field('item', type, false));
    this.elements = new NumberColumn(type);
  }

  begin(rows: number): void {
    this.elements.begin(rows * this.width);
  }

  grow(rows: number): void {
    this.elements.grow(rows * this.width);
  }

  setNull(row: number): void {
    this.#validity.setNull(row);
  }

  finish(rows: number): Data<FixedSizeList<T>> {
    const child = this.elements.finish(rows * this.width);
    return makeData({ type: this.#type, length: rows, child, ...this.#validity.take(rows) });
  }
}

/** A column of arrays of any length: their elements one behind the other, and where each row ends among them. */
export class AnyLengthColumn implements ColumnBuilder {
  readonly #elements: NumberColumn<NumberType> | BytesColumn<Utf8>;
  readonly #validity = new Validity();
  #lists = new Int32Array(0);
  #room = 0;
  #used = 0;

  constructor(elements: NumberColumn<NumberType> | BytesColumn<Utf8>) {
    this.#elements = elements;
  }

  /** Elements so far. */
  get used(): number {
    return this.#used;
  }

  begin(rows: number): void {
    this.#lists = new Int32Array(rows + 1);
    this.#room = ELEMENTS_A_ROW * rows;
    this.#used = 0;
    this.#elements.begin(this.#room);
  }

  grow(rows: number): void {
    const lists = new Int32Array(rows + 1);
    lists.set(this.#lists);
    this.#lists = lists;
  }

  /** The index of one more element, for which there is room. */
  next(): number {
    if (this.#used === this.#room) {
      this.#room *= 2;
      this.#elements.grow(this.#room);
    }
    this.#used += 1;
    return this.#used - 1;
  }

  /** The array of `row` ends at the element `used`, and with it all elements. */
  end(row: number, used: number): void {
    this.#used = used;
    this.#lists[row + 1] = used;
  }

  setNull(row: number): void {
    this.#validity.setNull(row);
    this.#lists[row + 1] = this.#used;
  }

  finish(rows: number): Data<List> {
    const child = this.#elements.finish(this.#used);
    const type = new List(new Field('item', child.type, false));
    const valueOffsets = this.#lists.subarray(0, rows + 1);
    return makeData({ type, length: rows, valueOffsets, child, ...this.#validity.take(rows) });
  }
}

const ELEMENTS_A_ROW = 16;
