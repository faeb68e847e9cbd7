import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type Compilable,
} from 'kysely';
import type { Queryable } from './statement.ts';

/** Writes queries on the views of schema pgscore, checked by their types; `rowsOf` runs them. */
export const catalog = new Kysely<Catalog>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** The rows of a query written with `catalog`. */
export async function rowsOf<Row>(client: Queryable, query: Compilable<Row>): Promise<Row[]> {
  const { sql, parameters } = query.compile();
  const result = await client.query<Row & { [column: string]: unknown }>(sql, [...parameters]);
  return result.rows;
}

/** The views of schema pgscore that the command line reads, as its sessions read them: bigint as number. */
type Catalog = {
  'pgscore.models': ModelRow;
  'pgscore.runs': RunRow;
  'pgscore.run_errors': RunErrorRow;
  'pgscore.schedules': ScheduleRow;
  'pgscore.schedule_history': ScheduleFireRow;
  'pgscore.watches': WatchRow;
  'pgscore.workers': WorkerRow;
  'pgscore.alerts': AlertRow;
  'pgscore.gates': GateRow;
  'pgscore.experiments': ExperimentRow;
};

type ModelRow = {
  model: string;
  version: number;
  aliases: string[];
  state: 'checking' | 'ready' | 'rejected';
  reason: string | null;
  task: string | null;
  inputs: string | null;
  outputs: string | null;
  execution: string | null;
  sha256: string;
  deployed_by: string;
  deployed_at: Date;
  checked_at: Date | null;
  reason_code: string | null;
  remedy: string | null;
  warnings: string[];
  size_bytes: number;
  positive_class: string | null;
  threshold: number | null;
  nulls: string | null;
};

type GateRow = {
  model: string;
  gate: string;
  kind: 'golden' | 'not_worse' | 'no_segment_worse';
  metric: string | null;
  against: 'champion' | 'predecessor' | null;
  margin: number | null;
  minimum_labels: number | null;
  by: string | null;
  source: string | null;
  expected: string | null;
  tolerance: number | null;
  golden_rows: number | null;
  set_by: string;
  set_at: Date;
  target: string | null;
};

type ExperimentRow = {
  model: string;
  kind: 'canary' | 'ab' | 'shadow';
  is_running: boolean;
  champion: string;
  arms: Record<string, number>;
  split_by: string[];
  sampling: number;
  salt: string;
  started_by: string;
  started_at: Date;
  until: Date | null;
  stopped_at: Date | null;
  promoted: string | null;
  experiment_id: number;
  calls_scored: string | null;
  calls_waiting: string | null;
  calls_failed: string | null;
  calls_skipped: string | null;
  arm_error: string | null;
  arm_error_at: Date | null;
  calls_without_key: string | null;
};

type AlertRow = {
  model: string;
  version: number | null;
  alert: string;
  state: 'ok' | 'pending' | 'firing' | 'no_data' | 'insufficient_data';
  severity: 'info' | 'warning' | 'critical';
  since: Date | null;
  metric: string;
  grain: 'day' | 'week' | 'month';
  column_name: string | null;
  value: number | null;
  lower_threshold: number | null;
  upper_threshold: number | null;
  n: number | null;
  /** A day, as PostgreSQL spells it. */
  window_date: string | null;
  threshold: number | null;
  direction: 'below' | 'above' | 'outside';
  for_windows: number;
  of_windows: number;
  min_samples: number;
  keep_firing_hours: number;
  is_default: boolean;
  set_by: string | null;
  message: string;
};

type RunState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export type RunRow = {
  run: number;
  model: string;
  source: string;
  target: string | null;
  state: RunState;
  phase: string | null;
  rows_done: number;
  rows_failed: number;
  rows_total: number | null;
  rows_per_second: number | null;
  attempt: number;
  cpu_seconds: number;
  error_code: string | null;
  error: string | null;
  remedy: string | null;
  published: boolean | null;
  requested_by: string;
  requested_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
  snapshot_at: Date | null;
  schedule: string | null;
  rows_unchanged: number | null;
};

type RunErrorRow = {
  run: number;
  key: unknown;
  code: string;
  reason: string;
  feature: string | null;
  input: unknown;
};

type ScheduleRow = {
  name: string;
  cron: string;
  time_zone: string;
  model: string;
  source: string;
  target: string;
  state: 'active' | 'paused';
  overlap: string;
  catch_up: string;
  last_fire_at: Date | null;
  last_outcome: string | null;
  last_run: number | null;
  last_error: string | null;
  owner: string;
  created_at: Date;
  next_fire_at: Date | null;
};

type ScheduleFireRow = {
  name: string;
  fire_at: Date;
  outcome: string;
  run: number | null;
  error: string | null;
  decided_at: Date;
  run_state: string | null;
  owner: string;
};

type WatchRow = {
  model: string;
  source: string;
  target: string;
  capture: 'triggers' | 'poll';
  state: 'starting' | 'scoring' | 'comparing' | 'following' | 'standby' | 'paused' | 'failing';
  pending: number;
  oldest_pending: Date | null;
  rows_scored: number;
  rows_unchanged: number;
  error_code: string | null;
  error: string | null;
  remedy: string | null;
  compared_at: Date | null;
  rows_compared: number | null;
  on_promote: 'rescore' | 'keep';
  notify: string | null;
  owner: string;
  created_at: Date;
  published: boolean;
};

type WorkerRow = {
  worker: string;
  host: string;
  pid: number;
  version: string;
  state: string;
  scorers: number;
  started_at: Date;
  heartbeat_at: Date;
};
