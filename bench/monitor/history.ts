import type pg from 'pg';
import { ident } from '../../src/lib/text.ts';
import { makeSource } from '../stage.ts';
import { oneRow } from '../tables/small-runs.ts';

/** Predictions of one model over 120 days, nine tenths of them with their label. */
export type History = {
  readonly modelId: number;
  readonly versionId: number;
  readonly table: string;
  readonly predictions: number;
  /** The first of its days, in UTC; the last one is yesterday. */
  readonly from: string;
};

const DAYS = 120;
/** Days whose cells are counted at once: what these pairs put in line stays in memory. */
const COUNTED_DAYS = 10;

/** Scores one row with a model that is deployed, and says where a history of it is to be. */
export async function planHistory(
  requester: pg.Client,
  owner: pg.Client,
  model: string,
  predictions: number,
): Promise<History> {
  const name = `${model}_history`;
  await makeSource(requester, name, 1);
  await oneRow(requester, name, model);
  const { rows } = await owner.query<{ model_id: number; version_id: number; target_id: number }>(FIND, [name]);
  const [found] = rows;
  if (found === undefined) throw new Error(`nothing was scored with ${model}`);
  const base = `target_${found.target_id}`;
  const table = `pgscore_predictions.${ident(`${base}_g${GENERATION}`)}`;
  const statements = [
    `create table ${table} partition of pgscore_predictions.${ident(base)} for values in (${GENERATION})`,
    `insert into pgscore_data.generation (target_id, generation, state) values (${found.target_id}, ${GENERATION}, 'published')`,
    `update pgscore_data.target set current_generation = ${GENERATION}, next_generation = ${GENERATION + 1} where target_id = ${found.target_id}`,
    `update pgscore_data.monitor set key_types = '{bigint}' where model_id = ${found.model_id}`,
  ];
  for (const line of statements) await owner.query(line);
  const from = new Date(Math.floor(Date.now() / DAY_MS - DAYS) * DAY_MS).toISOString();
  return { modelId: found.model_id, versionId: found.version_id, table, predictions, from };
}

const DAY_MS = 86_400_000;
const GENERATION = 900;
const FIND = `select v.model_id, r.version_id, r.target_id from pgscore_data.run r join pgscore_data.version v using (version_id) where r.source_name = $1 order by r.run_id desc limit 1`;

/**
 * Makes histories as runs, labels and refreshes would have left them, but put in whole, since it would take those hours.
 * No service may be running, which would count along.
 */
export async function makeHistories(owner: pg.Client, histories: readonly History[]): Promise<void> {
  for (const line of AT_ONCE) await owner.query(line);
  for (const history of histories) for (const line of predict(history)) await owner.query(line);
  const tables = ['pgscore_data.kept_prediction', 'pgscore_data.evaluation'];
  const rebuild: string[] = [];
  for (const name of tables) rebuild.push(...(await withoutIndexes(owner, name)));
  const lines = [...histories.flatMap((history) => [keep(history), label(history)]), ...rebuild];
  for (const line of [...lines, ...tables.map((name) => `analyze ${name}`)]) await owner.query(line);
  for (const history of histories) await count(owner, history);
  for (const line of ['select pgscore.refresh()', 'vacuum (analyze)', 'checkpoint']) await owner.query(line);
  await owner.query('reset all');
}

const AT_ONCE = [
  'set synchronous_commit = off',
  `set maintenance_work_mem = '1GB'`,
  `set work_mem = '256MB'`,
  'set jit = off',
];

/** Scores as of a rare class, spread over all days. */
function predict({ table, versionId, predictions, from }: History): string[] {
  return [
    `insert into ${table} (generation, id, event_time, score, label, probability_0, probability_1, run_id)
     select ${GENERATION}, i, timestamptz '${from}' + (i - 1) * interval '${DAYS} days' / ${predictions}, s, (s >= 0.5)::int::text, 1 - s, s, run_id
       from (select i, (1 / (1 + exp(2 - 1.6 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))))::real::float8 as s from generate_series(1, ${predictions}) i) scored
      cross join (select max(r.run_id) as run_id from pgscore_data.run r where r.version_id = ${versionId}) run`,
    `create unique index on ${table} (id)`,
    `analyze ${table}`,
  ];
}

/** Concatenated with nothing, lest every row decompress it. */
const EDGES = `(select b.mirrored || '{}'::float8[] from pgscore_data.score_bins b)`;

/** Whether a prediction p came true, as often as its score says; the same at every reading. */
export const TRUTH = `(p.id::bigint * 2654435761 % 4294967296 < p.score * 4294967296)::int`;

/** What labels find: predictions with an event time, kept one by one. */
function keep({ versionId, table }: History): string {
  return `insert into pgscore_data.kept_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class)
    select ${versionId}, array[p.id::text], p.event_time, r.snapshot_at, p.run_id, p.score, p.label::smallint
      from ${table} p join pgscore_data.run r using (run_id)`;
}

/** Labels, each with the pair that it is part of. */
function label({ modelId, versionId, table }: History): string {
  return `insert into pgscore_data.evaluation_earlier (model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, score, p_actual, bin, label)
    select ${modelId}, array[p.id::text], ${versionId}, p.run_id, date_trunc('day', p.event_time, 'UTC'), p.event_time, p.event_time + interval '3 days', pgscore_data._age_band(interval '3 days'),
           p.truth, p.label::smallint, p.score, case p.truth when 1 then p.score else 1 - p.score end, pgscore_data._score_bin(p.score, ${EDGES}), p.truth::text
      from (select p.*, ${TRUTH} as truth from ${table} p where p.id % 10 <> 0) p`;
}

/** The cells, by the formulas that refreshes count with. */
async function count(owner: pg.Client, { versionId, table, from }: History): Promise<void> {
  const predicted = [
    `insert into pgscore_data.cell_volume as c (version_id, day, n_predictions, n_failed, n_scored)
     select ${versionId}, date_trunc('day', p.event_time, 'UTC'), count(*), 0, count(*) from ${table} p group by 2 on conflict do nothing`,
    `insert into pgscore_data.cell_score as c (version_id, day, bin, n, n_positive)
     select ${versionId}, date_trunc('day', p.event_time, 'UTC'), pgscore_data._score_bin(p.score, ${EDGES}), count(*), count(*) filter (where p.label = '1') from ${table} p group by 2, 3 on conflict do nothing`,
  ];
  for (const line of predicted) await owner.query(line);
  for (let day = 0; day < DAYS; day += COUNTED_DAYS) {
    await owner.query(RECOUNT, [versionId, from, day, day + COUNTED_DAYS]);
    await owner.query('select pgscore_data._add_deltas()');
    await owner.query('truncate pgscore_data.refresh_delta');
  }
  await owner.query('select pgscore_data._recount_open($1)', [versionId]);
}

const RECOUNT = `select pgscore_data._recount($1, $2::timestamptz + $3 * interval '1 day', $2::timestamptz + $4 * interval '1 day')`;

/**
 * Takes indexes and foreign keys off a table that is to be filled: what a row costs them one by one is many times what
 * it costs to build them afterwards. Returns the statements that put them back.
 */
async function withoutIndexes(client: pg.Client, table: string): Promise<readonly string[]> {
  const constraints = await client.query<{ drop: string; add: string }>(CONSTRAINTS, [table]);
  const indexes = await client.query<{ drop: string; add: string }>(INDEXES, [table]);
  const parts = [...constraints.rows, ...indexes.rows];
  for (const { drop } of parts) await client.query(drop);
  return parts.map(({ add }) => add);
}

const CONSTRAINTS = `select format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname) as drop,
         format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) as add
    from pg_constraint c where c.conrelid = $1::regclass and c.contype in ('p', 'u', 'f') order by c.contype desc`;

/** Of a partitioned table PostgreSQL spells its own index only, without those of the partitions. */
const INDEXES = `select format('drop index %s', i.indexrelid::regclass) as drop, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as add
    from pg_index i where i.indrelid = $1::regclass and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`;
