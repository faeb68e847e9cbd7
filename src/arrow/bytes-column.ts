import { makeData } from 'apache-arrow';
import type { Binary, Data, Utf8 } from 'apache-arrow';
import type { ColumnBuilder } from './column-builder.ts';
import { copyBytes, viewed } from '../lib/viewed-bytes.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';
import { Validity } from './validity.ts';

/** A column of byte strings: one buffer that grows, and where each row ends in it. */
export class BytesColumn<T extends Binary | Utf8> implements ColumnBuilder {
  readonly #type: T;
  readonly #capacity: number;
  readonly #validity: Validity;
  #offsets = new Int32Array(0);
  #target = viewed(new Uint8Array(0));
  #used = 0;
  #expected: number;

  constructor(type: T, capacity: number) {
    this.#type = type;
    this.#capacity = capacity;
    this.#validity = new Validity(capacity);
    this.#expected = capacity * 8;
  }

  begin(): void {
    this.#offsets = new Int32Array(this.#capacity + 1);
    this.#target = viewed(new Uint8Array(this.#expected));
    this.#used = 0;
  }

  /** Copies `length` bytes of `source` in as the value of `row`. Rows come in order. */
  append(row: number, source: ViewedBytes, start: number, length: number): void {
    const used = this.#used + length;
    if (used > this.#target.bytes.length) this.#grow(used);
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
    this.#expected = Math.max(this.#expected >> 1, this.#used + (this.#used >> 3));
    const valueOffsets = this.#offsets.subarray(0, rows + 1);
    const data = this.#target.bytes.subarray(0, this.#used);
    const parts = { type: this.#type, length: rows, valueOffsets, data, ...this.#validity.take() };
    return makeData<T>(parts);
  }

  #grow(needed: number): void {
    const grown = viewed(new Uint8Array(Math.max(needed, this.#target.bytes.length * 2)));
    grown.bytes.set(this.#target.bytes.subarray(0, this.#used));
    this.#target = grown;
  }
}
