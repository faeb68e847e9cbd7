import { Field, FixedSizeList, makeData } from 'apache-arrow';
import type { Data, Float32, Float64 } from 'apache-arrow';
import type { ColumnBuilder } from './column-builder.ts';
import { NumberColumn } from './number-column.ts';
import { Validity } from '../inference/validity.ts';

/** A column of vectors of one width, held as a row-major matrix [rows, width]. */
export class ListColumn<T extends Float32 | Float64> implements ColumnBuilder {
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
