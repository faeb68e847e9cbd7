import type { Binary, Data } from 'apache-arrow';
import { viewed } from '../lib/viewed-bytes.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';
import type { FieldWriter } from './field-writer.ts';

/** A column whose bytes went through undecoded, on its way out again. */
export class PassedFields {
  /** Most bytes that its values and their lengths take. */
  readonly maxBytes: number;
  readonly #column: Data<Binary>;
  readonly #values: ViewedBytes;
  readonly #offsets: Int32Array;

  constructor(column: Data<Binary>) {
    this.#column = column;
    this.#values = viewed(column.values);
    this.#offsets = column.valueOffsets;
    this.maxBytes = 4 * column.length + column.values.length;
  }

  write(writer: FieldWriter, row: number): void {
    const valid = this.#column.nullCount === 0 || this.#column.getValid(row);
    if (valid) writer.value(this.#values, this.#offsets[row] ?? 0, this.#offsets[row + 1] ?? 0);
    else writer.null();
  }
}
