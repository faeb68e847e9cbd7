import type { JsonRow } from './json-rows.ts';

/** Rows that are nothing but numbers, row after row, each in the order of the features. */
export class NumberRows {
  readonly length: number;
  readonly width: number;
  readonly #values: Float64Array;
  /** 1 for each value that is NULL; null where none is. */
  readonly #nulls: Uint8Array | null;

  constructor(length: number, width: number, values: Float64Array, nulls: Uint8Array | null) {
    this.length = length;
    this.width = width;
    this.#values = values;
    this.#nulls = nulls;
  }

  get(row: number, feature: number): number | null {
    const at = row * this.width + feature;
    return this.#nulls !== null && this.#nulls[at] === 1 ? null : (this.#values[at] ?? null);
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
    );
  }
}

/** Rows of a call: as JSON, or numbers only. */
export type FeatureRows = readonly JsonRow[] | NumberRows;
