import { randomBytes } from 'node:crypto';
import { afterAll } from '@jest/globals';
import type { Client } from 'pg';
import { ident } from '../../../src/lib/text.ts';
import type { Login } from '../../support/database-url.ts';
import { cloneDatabase, type TestDatabase } from '../../support/database.ts';
import {
  addMonitoredModel,
  addRun,
  addVersion,
  type MonitoredModel,
  type MonitoredPrediction,
} from '../monitored-model.ts';

/** A model of each task. The analyst sees them all, and no other. */
export const MODELS = { binary: 'arrival_delay', multiclass: 'next.carrier-1', regression: 'air_time' } as const;

type Task = keyof typeof MODELS;

export type Staged = { database: TestDatabase; superuser: Client; analyst: Client; login: Login };

/** The days of staged predictions: March is labelled, the day in April is not. */
const DAYS = ['2024-03-04', '2024-03-05', '2024-03-13', '2024-04-02'];
const ROWS = 40;

/** A database with watched models, and a login that is a member of pgscore_analyst and of nothing else. To be called at the top of a test file. */
export async function stageForAnalyst(): Promise<Staged> {
  let drop = async (): Promise<void> => undefined;
  // Before cloneDatabase, whose hook closes the connections.
  afterAll(() => drop());
  const database = await cloneDatabase();
  const superuser = await database.client();
  const login = { user: `${database.name}_analyst`, password: randomBytes(12).toString('hex') };
  const create = `create role ${ident(login.user)} login password '${login.password}' in role pgscore_analyst`;
  await superuser.query(create);
  // As docs/guides/bi has it.
  const withoutJit = `alter role ${ident(login.user)} set jit = off`;
  await superuser.query(withoutJit);
  drop = async () => {
    const remove = `drop role ${ident(login.user)}`;
    await superuser.query(remove);
  };
  for (const task of Object.keys(MODELS) as Task[]) await stage(superuser, task, login.user);
  await addMonitoredModel(superuser, 'not_granted', 'binary');
  await superuser.query('select pgscore.refresh()');
  return { database, superuser, login, analyst: await database.client(login) };
}

async function stage(superuser: Client, task: Task, analyst: string): Promise<void> {
  const name = MODELS[task];
  const first = await addMonitoredModel(superuser, name, task);
  const second = await addVersion(superuser, first, 2);
  const grant = `insert into pgscore_data.model_grant (model_id, grantee, granted_by) values ($1, $2, current_user)`;
  await superuser.query(grant, [first.modelId, analyst]);
  const promote = `insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)`;
  await superuser.query(promote, [first.modelId, first.versionId]);
  const audit = `insert into pgscore_data.audit (actor, action, model, version, detail) values ('ada', 'promote', $1, 1, '{"alias": "champion"}')`;
  await superuser.query(audit, [name]);
  await raiseAlert(superuser, first);
  await driftFeatures(superuser, first);
  for (const model of [first, second]) await scoreDays(superuser, task, model);
  const label = `select pgscore.record_label($1, n::text, x.truth, (x.day || ' 20:00+00')::timestamptz)
    from unnest($2::int[], $3::text[], $4::text[]) as x (n, truth, day)`;
  const labelled = DAYS.flatMap((day, index) => rowsOf(index).map((n) => ({ n, day, truth: truthOf(task, n) }))).filter(
    ({ day }) => day < '2024-04',
  );
  await superuser.query(label, [
    name,
    labelled.map((l) => l.n),
    labelled.map((l) => l.truth),
    labelled.map((l) => l.day),
  ]);
}

/** What the service would have said of the first version. */
async function raiseAlert(superuser: Client, { modelId, versionId }: MonitoredModel): Promise<void> {
  const say = `insert into pgscore_data.alert_event (at, fingerprint, model_id, rule, version_id, column_name, metric, grain, kind, severity, event,
      began_at, window_start, window_end, value, n, lower_threshold, is_digest, due_at, next_attempt_at)
    values ('2024-03-15 08:00+00', 'raised', $1, 'accuracy_drop', $2, '', 'accuracy', 'day', 'performance', 'warning', 'firing',
      '2024-03-15 08:00+00', '2024-03-13', '2024-03-14', 0.5, 40, 0.7, false, '2024-03-15 08:00+00', '2024-03-15 08:00+00')`;
  await superuser.query(say, [modelId, versionId]);
}

/** What the service would have counted of two features, and computed of them: the second has drifted. */
async function driftFeatures(superuser: Client, { versionId }: MonitoredModel): Promise<void> {
  const drift = `with frozen as (
      insert into pgscore_data.feature_set (version_id, baseline, baseline_rows, baseline_complete) values ($1, 'first_runs', 1000, true) returning set_id
    ), bins as (
      insert into pgscore_data.feature_bins (set_id, feature, name, kind, n_bins, categories, others)
      select set_id, f, 'feature_' || f, 'category', 1, '{a}', '{}' from frozen, generate_series(1, 2) f returning set_id, feature
    ), baseline as (
      insert into pgscore_data.feature_baseline (set_id, feature, counts, n_measured, sum) select set_id, feature, '{0,0,600,400}', 0, 0 from bins
    ), counted as (
      insert into pgscore_data.cell_feature (set_id, day, feature, counts, n_measured, sum)
      select set_id, (day || ' 00:00+00')::timestamptz, feature, '{0,0,30,10}', 0, 0 from bins, unnest($2::text[]) day
    )
    insert into pgscore_data.drift_value (set_id, day, feature, n, n_baseline, n_bins, psi, psi_floor, psi_noise_limit, missing_rate, status)
    select set_id, (day || ' 00:00+00')::timestamptz, feature, 40, 1000, 1, feature * 0.15, 0.0001, 0.2, 0, case feature when 1 then 'ok' else 'alert' end from bins, unnest($2::text[]) day`;
  await superuser.query(drift, [versionId, DAYS]);
}

const rowsOf = (day: number): number[] => Array.from({ length: ROWS }, (_, index) => day * ROWS + index);

async function scoreDays(superuser: Client, task: Task, model: MonitoredModel): Promise<void> {
  for (const [index, day] of DAYS.entries()) {
    const rows = rowsOf(index).map((n) => said(task, n, model.versionId % 3, `${day} 12:00+00`));
    await addRun(superuser, model, rows);
  }
}

/** A prediction that is right more often than not. */
function said(task: Task, n: number, shift: number, at: string): MonitoredPrediction {
  const spread = ((n * 37 + shift * 11) % 100) / 100;
  if (task === 'regression') return { id: n, at, score: (n % 7) + spread };
  if (task === 'binary') {
    const score = truthOf(task, n) === 'yes' ? 0.3 + spread * 0.7 : spread * 0.7;
    return { id: n, at, score, label: score >= 0.5 ? 'yes' : 'no' };
  }
  const likeliest = (n + (spread > 0.8 ? 1 : 0)) % 3;
  const probabilities = [0, 1, 2].map((k) => (k === likeliest ? 0.6 : 0.2));
  return { id: n, at, score: 0.6, probabilities, label: 'abc'.charAt(likeliest) };
}

function truthOf(task: Task, n: number): string {
  if (task === 'regression') return String(n % 7);
  return task === 'binary' ? ((n * 13) % 5 < 2 ? 'yes' : 'no') : 'abc'.charAt(n % 3);
}
