import { makeData } from 'apache-arrow';
import type { Data, Float32, Float64, Int32, Int64, Uint8 } from 'apache-arrow';
import type { ColumnBuilder } from './column-builder.ts';
import { Validity } from '../inference/validity.ts';

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
