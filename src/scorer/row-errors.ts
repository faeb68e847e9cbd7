import type { RecordBatch } from 'apache-arrow';
import type { DecodedBatch } from '../copy/batch.ts';
import type { RowError } from '../inference/predictions.ts';
import { literal, storable } from '../lib/text.ts';
import { PipelinedStatement } from '../postgres/pipeline.ts';
import type { Run } from '../runs/run.ts';

/** A row that could not be scored: its key as it came over the wire, why, and what its features were. */
export type FailedRow = {
  readonly key: readonly (Buffer | null)[];
  readonly error: RowError;
  readonly input: Readonly<Record<string, unknown>>;
};

const ROWS_A_STATEMENT = 50;

/**
 * Statements that store failed rows, for the transaction that commits their predictions. Keys are sent back as the
 * bytes that were read.
 */
export function rowErrorStatements(run: Run, shard: number, rows: readonly FailedRow[]): PipelinedStatement[] {
  const steps: PipelinedStatement[] = [];
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    const some = rows.slice(at, at + ROWS_A_STATEMENT);
    const text = insertion(run, some.length);
    steps.push(new PipelinedStatement({ text, values: [run.runId, run.attempt, shard, ...some.flatMap(values)] }));
  }
  return steps;
}

function values(row: FailedRow): unknown[] {
  return [
    ...row.key,
    row.error.code,
    storable(row.error.message),
    row.error.feature ?? null,
    JSON.stringify(row.input),
  ];
}

function insertion(run: Run, rows: number): string {
  let parameter = 3;
  const next = (type: string): string => `$${(parameter += 1)}::${type}`;
  const tuple = (): string => {
    const key = run.target.keys.map((column) => `${literal(column.name)}, ${asJson(column.sql_type, next)}`).join(', ');
    return `($1::bigint, $2::int, $3::int, jsonb_build_object(${key}), ${next('text')}, ${next('text')}, ${next('text')}, ${next('jsonb')})`;
  };
  const tuples = Array.from({ length: rows }, tuple).join(', ');
  return `insert into pgscore_data.run_error (run_id, attempt, shard, key, code, reason, feature, input) values ${tuples}`;
}

/** Types with values of JSON. */
const PLAIN = new Set(['boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision']);

/**
 * A key value as its JSON number or truth value, else as text by the output function of its type. The owner of an enum
 * can define a cast to json or text, which jsonb_build_object() and :: would call as our role.
 */
function asJson(sqlType: string, next: (type: string) => string): string {
  return PLAIN.has(sqlType) ? next(sqlType) : `concat(${next(sqlType)})`;
}

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

/** The key of one row, each column as the bytes it came as; null for SQL NULL. */
export function keyBytes(decoded: DecodedBatch, row: number): (Buffer | null)[] {
  return decoded.keys.map((column) => {
    if (!column.getValid(row)) return null;
    const from = column.valueOffsets[row] ?? 0;
    const to = column.valueOffsets[row + 1] ?? from;
    return Buffer.from(column.values.subarray(from, to));
  });
}
