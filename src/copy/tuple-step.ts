import type { ViewedBytes } from '../lib/viewed-bytes.ts';

/** Reads one column of a tuple, or a run of neighbours, into the column builders behind it. */
export interface TupleStep {
  /** Starts a batch, with room for `rows`. */
  begin(rows: number): void;
  /** Makes room for `rows`, which are more. */
  grow(rows: number): void;
  /**
   * Reads its fields of `row` from `at` on and returns the position behind them. That position may lie past `end`: then
   * what is between is to be skipped. A negative result says that nothing was read, and that so many bytes are needed.
   */
  read(chunk: ViewedBytes, at: number, end: number, row: number): number;
}
