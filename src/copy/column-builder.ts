import type { Data } from 'apache-arrow';

/**
 * A column under construction. Readers write straight into its arrays, and `finish` hands those arrays to Arrow as they
 * are; so every batch begins with new ones.
 */
export interface ColumnBuilder {
  /** Allocates the arrays of one batch, with room for `rows`. */
  begin(rows: number): void;
  /** Makes room for `rows`, which are more; what was written stays. */
  grow(rows: number): void;
  /** Marks `row` as NULL; what its slot holds then means nothing. */
  setNull(row: number): void;
  /** The first `rows` rows as Arrow data that shares the arrays. */
  finish(rows: number): Data;
}
