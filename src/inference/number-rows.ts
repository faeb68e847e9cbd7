import { decimalOf } from '../lib/float32.ts';
import type { JsonRow } from './json-rows.ts';

/** Rows that are nothing but numbers, row after row, each in the order of the features. */
export class NumberRows {
  readonly length: number;
  readonly width: number;
  readonly #values: Float64Array;
  /** 1 for each value that is NULL; null where none is. */
  readonly #nulls: Uint8Array | null;
  readonly #reals: ReadonlySet<number>;

  /** `reals`: the features whose columns are of this type. */
  constructor(
    length: number,
    width: number,
    values: Float64Array,
    nulls: Uint8Array | null,
    reals: ReadonlySet<number>,
  ) {
    this.length = length;
    this.width = width;
    this.#values = values;
    this.#nulls = nulls;
    this.#reals = reals;
  }

  /** Rows of several calls, at least one, one behind the other. Which of them were reals is not known. */
  static joined([first, ...others]: readonly NumberRows[]): NumberRows {
    if (first === undefined) throw new Error('there are no rows to be joined');
    if (others.length === 0) return first;
    const several = [first, ...others];
    const { width } = first;
    const length = several.reduce((sum, rows) => sum + rows.length, 0);
    const values = new Float64Array(length * width);
    const nulls = several.some((rows) => rows.#nulls !== null) ? new Uint8Array(values.length) : null;
    let at = 0;
    for (const rows of several) {
      values.set(rows.#values, at);
      if (rows.#nulls !== null) nulls?.set(rows.#nulls, at);
      at += rows.#values.length;
    }
    return new NumberRows(length, width, values, nulls, new Set());
  }

  get haveReals(): boolean {
    return this.#reals.size > 0;
  }

  get areReals(): boolean {
    return this.#reals.size === this.width;
  }

  /** Whether it is a number that is nothing special: no NULL, and less than `limit` from zero. */
  isWithin(row: number, feature: number, limit: number): boolean {
    const at = row * this.width + feature;
    return Math.abs(this.#values[at] ?? Number.NaN) < limit && this.#nulls?.[at] !== 1;
  }

  /** Any number where it is NULL. */
  at(row: number, feature: number): number {
    return this.#values[row * this.width + feature] ?? Number.NaN;
  }

  get(row: number, feature: number): number | null {
    const at = row * this.width + feature;
    return this.#nulls !== null && this.#nulls[at] === 1 ? null : (this.#values[at] ?? null);
  }

  /** The value of get() as JSON would have it: a real is the decimal that it is written as. */
  written(row: number, feature: number): number | null {
    const value = this.get(row, feature);
    return value !== null && this.#reals.has(feature) ? decimalOf(value) : value;
  }

  /** Rows `from` to `to`, end excluded; a view. */
  slice(from: number, to: number): NumberRows {
    const [start, end] = [from * this.width, to * this.width];
    const rows = Math.min(to, this.length) - from;
    return new NumberRows(
      rows,
      this.width,
      this.#values.subarray(start, end),
      this.#nulls?.subarray(start, end) ?? null,
      this.#reals,
    );
  }
}

/** Rows of a call: as JSON, or numbers only. */
export type FeatureRows = readonly JsonRow[] | NumberRows;
