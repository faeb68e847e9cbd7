import type pg from 'pg';
import { backendOf } from './backend.ts';
import type { NightlyPlan } from './plan.ts';
import { cpuSecondsOf } from './process-usage.ts';
import { oneRow } from './single-runs.ts';
import { makeSource } from './source-table.ts';

/** What nightly runs of a year and more take, and what labels cost that judge them. */
export type KeptNights = {
  readonly nights: number;
  readonly entities: number;
  readonly bytesPerPrediction: number;
  /** CPU time of a refresh by the labels that it counted, in microseconds: of those that judge the last night, and one a year ago. */
  readonly freshMicroseconds: number;
  readonly lateMicroseconds: number;
};

/** Keys are as far apart as those of a million in blocks of the same size. */
const STRIDE = 64;
const LATE_DAYS = 365;

/** Scores one row with a model that is deployed, whose nights are to be. */
export async function planNights(requester: pg.Client, model: string): Promise<void> {
  await makeSource(requester, `${model}_source`, 1);
  await oneRow(requester, `${model}_source`, model);
}

/** Keeps nights by the functions that refreshes keep with, and counts labels. No service may be running, which would count along. */
export async function measureKeptNights(owner: pg.Client, model: string, plan: NightlyPlan): Promise<KeptNights> {
  const { nights, entities, labels } = plan;
  await owner.query('select pgscore.refresh()');
  const [found] = (await owner.query<{ version: number; target: number; model: number }>(FIND, [`${model}_source`]))
    .rows;
  if (found === undefined) throw new Error(`nothing was scored with ${model}`);
  await owner.query(`update pgscore_data.monitor set key_types = '{bigint}' where model_id = $1`, [found.model]);
  const before = await keptBytes(owner);
  for (let night = nights; night > 0; night -= 1) await keepNight(owner, found, night, entities);
  await owner.query('vacuum (analyze)');
  const bytesPerPrediction = ((await keptBytes(owner)) - before) / (nights * entities);
  const freshMicroseconds = await labelCost(owner, found.model, { labels, daysAgo: 0, from: 1 });
  const lateMicroseconds = await labelCost(owner, found.model, {
    labels,
    daysAgo: Math.min(LATE_DAYS, nights - 1),
    from: 1 + labels,
  });
  return { nights, entities, bytesPerPrediction, freshMicroseconds, lateMicroseconds };
}

const FIND = `select r.version_id as version, r.target_id as target, v.model_id as model
    from pgscore_data.run r join pgscore_data.version v using (version_id) where r.source_name = $1 order by r.run_id desc limit 1`;

/** All runs of this database are in it, also those that were measured before. */
async function keptBytes(owner: pg.Client): Promise<number> {
  const { rows } = await owner.query<{ bytes: number }>(BYTES);
  return rows[0]?.bytes ?? 0;
}

const BYTES = `select pg_total_relation_size('pgscore_data.kept_block')::float8 as bytes`;

type Found = { readonly version: number; readonly target: number };

/** A run of so many days ago whose table is swept again. */
async function keepNight(
  owner: pg.Client,
  { version, target }: Found,
  daysAgo: number,
  entities: number,
): Promise<void> {
  const { rows } = await owner.query<{ run: string; generation: number }>(ADD_RUN, [
    version,
    target,
    daysAgo,
    entities,
  ]);
  const [night] = rows;
  if (night === undefined) throw new Error('no run was added');
  const base = `pgscore_predictions.target_${target}`;
  const leaf = `${base}_g${night.generation}`;
  const lines = [
    `create table ${leaf} partition of ${base} for values in (${night.generation})`,
    `insert into ${leaf} (generation, run_id, id, score, label)
     select ${night.generation}, ${night.run}, i * ${STRIDE}, s, (s >= 0.5)::int::text from (select i, random()::real::float8 as s from generate_series(1, ${entities}) i) x`,
    `select pgscore_data._await_turn('cells'), pgscore_data._clear_work(), pgscore_data._keep_scored(array[${night.run}], '{}')`,
    `drop table ${leaf}`,
  ];
  for (const line of lines) await owner.query(line);
}

const ADD_RUN = `with numbered as (
    update pgscore_data.target set next_generation = next_generation + 1 where target_id = $2 returning next_generation - 1 as generation)
  insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, rls, state, attempt, generation, snapshot_at, paired, rows_done)
  select current_user, $1, $2, 'pgscore_bench', 'nights', 'ctid', '{}', 'error', 'done', 1, generation, now() - $3 * interval '1 day', true, $4
    from numbered returning run_id as run, generation`;

type Labels = { readonly labels: number; readonly daysAgo: number; readonly from: number };

async function labelCost(owner: pg.Client, model: number, { labels, daysAgo, from }: Labels): Promise<number> {
  await owner.query(TELL, [model, labels, daysAgo, from]);
  await owner.query('analyze pgscore_data.label_change');
  const backend = (await backendOf(owner)) ?? 0;
  const before = cpuSecondsOf(backend) ?? 0;
  await owner.query('select pgscore_data._refresh()');
  return (1e6 * ((cpuSecondsOf(backend) ?? 0) - before)) / labels;
}

const TELL = `insert into pgscore_data.label_change (model_id, key, known_at, label)
  select $1, array[((i + $4) * ${STRIDE})::text], now() - $3 * interval '1 day', (i % 2)::text from generate_series(0, $2::int - 1) i`;
