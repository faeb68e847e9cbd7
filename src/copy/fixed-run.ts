import type { NumberColumn, NumberType } from './number-column.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';
import { NULL_LENGTH } from './format.ts';
import { protocolError } from './protocol-error.ts';
import type { TupleStep } from './tuple-step.ts';

export type NamedColumn = { readonly name: string; readonly column: NumberColumn<NumberType> };

/**
 * Neighbouring columns whose values all have one width. Bits move as 32-bit words, so that floats and integers share a
 * loop, NaN keeps its payload and no BigInt is made: 3 ns a value. The loop stands in a function of its own, without the
 * ways out of it, because it took 4 ns with them.
 */
abstract class FixedRun implements TupleStep {
  protected words: Int32Array[] = [];
  readonly #columns: readonly NamedColumn[];
  readonly #width: number;

  constructor(columns: readonly NamedColumn[], width: number) {
    this.#columns = columns;
    this.#width = width;
  }

  /** Reads whole values from the column `first` on, as far as they go; returns how many. */
  protected abstract readValues(view: DataView, start: number, end: number, row: number, first: number): number;

  begin(rows: number): void {
    for (const { column } of this.#columns) column.begin(rows);
    this.words = this.#columns.map(({ column }) => column.words);
  }

  grow(rows: number): void {
    for (const { column } of this.#columns) column.grow(rows);
    this.words = this.#columns.map(({ column }) => column.words);
  }

  read({ view }: ViewedBytes, start: number, end: number, row: number): number {
    let at = start;
    let index = 0;
    for (;;) {
      const count = this.readValues(view, at, end, row, index);
      index += count;
      at += count * (4 + this.#width);
      const column = this.#columns[index];
      if (column === undefined) return at;
      const needed = this.#needed(view, at, end, column.name);
      if (needed > 0) return start - at - needed;
      column.column.setNull(row);
      index += 1;
      at += 4;
    }
  }

  /** Bytes of a field that is cut off; 0 for a NULL. */
  #needed(view: DataView, at: number, end: number, name: string): number {
    if (end - at < 4) return 4;
    const length = view.getInt32(at);
    if (length === NULL_LENGTH) return 0;
    if (length === this.#width) return 4 + length;
    throw protocolError(`a value of ${name} has ${length} bytes, not ${this.#width}`);
  }
}

/** Columns of real and integer. */
export class FourByteRun extends FixedRun {
  constructor(columns: readonly NamedColumn[]) {
    super(columns, 4);
  }

  protected readValues(view: DataView, start: number, end: number, row: number, first: number): number {
    const columns = this.words;
    let at = start;
    for (let index = first; index < columns.length; index += 1, at += 8) {
      const words = columns[index];
      if (words === undefined || end - at < 8 || view.getInt32(at) !== 4) return index - first;
      words[row] = view.getInt32(at + 4);
    }
    return columns.length - first;
  }
}

/** Columns of double precision and bigint: two words each, the low one first. */
export class EightByteRun extends FixedRun {
  constructor(columns: readonly NamedColumn[]) {
    super(columns, 8);
  }

  protected readValues(view: DataView, start: number, end: number, row: number, first: number): number {
    const columns = this.words;
    let at = start;
    for (let index = first; index < columns.length; index += 1, at += 12) {
      const words = columns[index];
      if (words === undefined || end - at < 12 || view.getInt32(at) !== 8) return index - first;
      words[2 * row] = view.getInt32(at + 8);
      words[2 * row + 1] = view.getInt32(at + 4);
    }
    return columns.length - first;
  }
}
