import type { SourceColumn } from './source-column.ts';

export type BatchLimits = {
  /** Rows of a full batch. */
  readonly rows: number;
  /** A batch ends early with the row that takes it past this many bytes; a longer text or array is not read at all. */
  readonly bytes: number;
};

/** Between 4,096 and 32,768 rows nothing measurable changes but the memory. */
export const BATCH_LIMITS: BatchLimits = { rows: 16_384, bytes: 16 * 1024 * 1024 };

/** Rows for which arrays are allocated at once, so that fixed widths alone can't pass the limit. */
export function batchCapacity(columns: readonly SourceColumn[], limits: BatchLimits): number {
  let rowBytes = 0;
  for (const column of columns) rowBytes += column.role === 'feature' ? 8 * column.width : 8;
  return Math.max(1, Math.min(limits.rows, Math.floor(limits.bytes / Math.max(1, rowBytes))));
}
