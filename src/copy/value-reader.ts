import type { ColumnBuilder } from './column-builder.ts';
import type { RowError } from '../inference/row-error.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';

/** How the values of one column are read, decided once. */
export interface ValueReader {
  readonly column: ColumnBuilder;
  /**
   * Reads the `length` bytes at `at` as the value of `row`. Returns why that row can't be scored, where it can't; raises
   * `copy_protocol` for bytes that are no value of the column's type.
   */
  read(chunk: ViewedBytes, at: number, length: number, row: number): RowError | undefined;
}
