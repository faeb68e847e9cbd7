import { Step } from '../postgres/pipeline-statement.ts';
import { storable } from '../lib/storable.ts';
import type { Run } from '../runs/run.ts';
import type { RowError } from '../inference/row-error.ts';

/** A row that could not be scored: its key as it came over the wire, why, and what its features were. */
export type FailedRow = {
  readonly key: readonly (Buffer | null)[];
  readonly error: RowError;
  readonly input: Readonly<Record<string, unknown>>;
};

const ROWS_A_STATEMENT = 50;

/** Writes failed rows down, in the transaction that commits their predictions. The keys go back as the bytes they came as. */
export function rowErrorSteps(run: Run, shard: number, rows: readonly FailedRow[]): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    const some = rows.slice(at, at + ROWS_A_STATEMENT);
    const text = insertion(run, some.length);
    steps.push(new Step({ text, values: [run.runId, run.attempt, shard, ...some.flatMap(values)] }));
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

/** Types whose values JSON has. */
const PLAIN = new Set(['boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision']);

/**
 * A key value as its JSON number or truth value, else as text by the type's own output function: an owner of an enum can
 * give it a cast to json or text, which jsonb_build_object() and :: would call, as us.
 */
function asJson(sqlType: string, next: (type: string) => string): string {
  return PLAIN.has(sqlType) ? next(sqlType) : `concat(${next(sqlType)})`;
}

/** A column's name as a text constant; our sessions keep standard_conforming_strings on. */
function literal(name: string): string {
  return `'${name.replaceAll("'", "''")}'`;
}
