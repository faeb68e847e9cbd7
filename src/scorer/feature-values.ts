import type { RecordBatch } from 'apache-arrow';

/** The features of one row as JSON can hold them, for the record of a row that failed. */
export function featureValues(batch: RecordBatch, row: number): Record<string, unknown> {
  const entries = batch.schema.fields.map((field, index) => [field.name, jsonValue(batch.getChildAt(index)?.get(row))]);
  return Object.fromEntries(entries);
}

function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'object' && Symbol.iterator in value) return Array.from(value as Iterable<unknown>, jsonValue);
  return null;
}
