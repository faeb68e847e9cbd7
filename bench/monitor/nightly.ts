import type pg from 'pg';
import { quantile } from '../figures.ts';
import type { NightlyPlan } from '../plan.ts';
import { backendOf, cpuSecondsOf } from '../processes.ts';
import { makeSource, type Stage } from '../stage.ts';
import { measureThroughput } from '../tables/large-runs.ts';
import { oneRow } from '../tables/small-runs.ts';

/** What a nightly run over a large table costs, and what its predictions are kept for. */
export type NightlyCost = {
  readonly rows: number;
  /** CPU-seconds of the service and of the server in a run that nothing counts meanwhile. */
  readonly runCpuSeconds: number;
  /** CPU-seconds of the refresh that counts, keeps and closes it. */
  readonly refreshCpuSeconds: number;
  /** Both by the first, the median of the rounds. */
  readonly ratio: number;
};

const SOURCE = 'nightly_source';

/** Runs over the same entities, each counted by a refresh of this connection while the service has no turn to. */
export async function measureNightly(
  { stage, requester, owner }: { readonly stage: Stage; readonly requester: pg.Client; readonly owner: pg.Client },
  { rows, rounds }: NightlyPlan,
): Promise<NightlyCost | null> {
  const backend = await backendOf(owner);
  if (backend === undefined) return null;
  await makeSource(requester, SOURCE, rows);
  const costs: { run: number; refresh: number }[] = [];
  // The first one has none before it that it could take over from.
  for (let round = 0; round <= rounds; round += 1) {
    await owner.query('begin');
    await owner.query(`select pgscore_data._await_turn('cells')`);
    const run = (await measureThroughput(requester, stage.service, SOURCE, rows)).allCpuSeconds;
    const before = cpuSecondsOf(backend) ?? 0;
    await owner.query('select pgscore_data._refresh()');
    costs.push({ run, refresh: (cpuSecondsOf(backend) ?? 0) - before });
    await owner.query('commit');
  }
  const measured = costs.slice(1);
  return {
    rows,
    runCpuSeconds: middle(measured.map(({ run }) => run)),
    refreshCpuSeconds: middle(measured.map(({ refresh }) => refresh)),
    ratio: middle(measured.map(({ run, refresh }) => (run + refresh) / run)),
  };
}

function middle(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** What nightly runs of a year and more take, and what labels cost that judge them. */
export type KeptNights = {
  readonly nights: number;
  readonly entities: number;
  readonly bytesPerPrediction: number;
  /** Of all these predictions, once those are deleted that no label of the last 90 days can judge. */
  readonly lateBytesPerPrediction: number;
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
  await owner.query(REWRITE);
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
  await owner.query(`update pgscore_data.monitor set late = '90 days' where model_id = $1`, [found.model]);
  await owner.query('select pgscore_data._delete_predictions()');
  await owner.query(REWRITE);
  const lateBytesPerPrediction = ((await keptBytes(owner)) - before) / (nights * entities);
  return { nights, entities, bytesPerPrediction, lateBytesPerPrediction, freshMicroseconds, lateMicroseconds };
}

const FIND = `select r.version_id as version, r.target_id as target, v.model_id as model
    from pgscore_data.run r join pgscore_data.version v using (version_id) where r.source_name = $1 order by r.run_id desc limit 1`;

/** All runs of this database are in it, also those that were measured before. */
async function keptBytes(owner: pg.Client): Promise<number> {
  const { rows } = await owner.query<{ bytes: number }>(BYTES);
  return rows[0]?.bytes ?? 0;
}

/** Without the room that deleted rows leave. */
const REWRITE = 'vacuum (full, analyze) pgscore_data.kept_block';
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
  insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, rls, state, attempt, generation, snapshot_at, counted, rows_done)
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
