import { Field, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import type { Data } from 'apache-arrow';

/** A record batch of `rows` rows over finished columns, which it shares. `names` and `columns` go in pairs. */
export function recordBatch(names: readonly string[], columns: readonly Data[], rows: number): RecordBatch {
  const fields = columns.map((column, index) => new Field(names[index] ?? '', column.type, true));
  const children = [...columns];
  const data = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children });
  return new RecordBatch(new Schema(fields), data);
}
