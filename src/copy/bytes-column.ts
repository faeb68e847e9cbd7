import { makeData } from 'apache-arrow';
import type { Binary, Data, Utf8 } from 'apache-arrow';
import type { ColumnBuilder } from './column-builder.ts';
import { copyBytes, viewed } from '../lib/viewed-bytes.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';
import { Validity } from '../inference/validity.ts';

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
