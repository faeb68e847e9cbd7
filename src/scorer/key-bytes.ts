import type { DecodedBatch } from '../copy/decoded-batch.ts';

/** The key of one row, each column as the bytes it came as; null for SQL NULL. */
export function keyBytes(decoded: DecodedBatch, row: number): (Buffer | null)[] {
  return decoded.keys.map((column) => {
    if (!column.getValid(row)) return null;
    const from = column.valueOffsets[row] ?? 0;
    const to = column.valueOffsets[row + 1] ?? from;
    return Buffer.from(column.values.subarray(from, to));
  });
}
