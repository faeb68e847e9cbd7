import type { Binary, Data, RecordBatch } from 'apache-arrow';
import type { RowError } from '../inference/row-error.ts';

/** Some rows of a source, as its COPY stream gave them. */
export type DecodedBatch = {
  readonly rows: number;
  /** The feature columns, by name. Bool is Uint8, smallint and integer Int32, numeric Float64, vectors FixedSizeList. */
  readonly batch: RecordBatch;
  /** The key columns in their order: the bytes of each value as they came. */
  readonly keys: readonly Data<Binary>[];
  readonly eventTime: Data<Binary> | null;
  /** The columns of segments in their order, as texts. */
  readonly segments: readonly Data<Binary>[];
  /** Rows that can't be scored, by index. Their bad value reads as NULL in `batch`. */
  readonly badRows: Map<number, RowError>;
};
