import type pg from 'pg';
import { ident } from '../lib/ident.ts';
import { oneRow } from './single-runs.ts';
import { makeSource } from './source-table.ts';

/** Predictions of one model over 120 days, nine tenths of them with their label. */
export type History = {
  readonly modelId: number;
  readonly versionId: number;
  readonly table: string;
  readonly predictions: number;
};

const DAYS = 120;

/**
 * Makes a history of a model that is deployed: as runs, labels and refreshes would have left it, but put in whole, since
 * it would take them hours.
 */
export async function makeHistory(
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
  const table = `pgscore_predictions.${ident(`target_${found.target_id}`)}`;
  const generation = `${table.slice(0, -1)}_g900"`;
  const statements = [
    `create table ${generation} partition of ${table} for values in (900)`,
    `insert into pgscore_data.generation (target_id, generation, state) values (${found.target_id}, 900, 'published')`,
    `insert into ${generation} (generation, id, event_time, score, label, probability_0, probability_1, run_id)
     select 900, i, timestamptz '2026-01-01 00:00+00' + (i - 1) * interval '${DAYS} days' / ${predictions}, s, (s >= 0.5)::int::text, 1 - s, s, run_id
       from (select i, (1 / (1 + exp(2 - 1.6 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))))::real::float8 as s from generate_series(1, ${predictions}) i) scored
      cross join (select max(r.run_id) as run_id from pgscore_data.run r where r.target_id = ${found.target_id}) run`,
    `create unique index on ${generation} (id)`,
    `update pgscore_data.monitor set key_types = '{bigint}' where model_id = ${found.model_id}`,
    `insert into pgscore_data.ground_truth (model_id, key, known_at, label)
     select ${found.model_id}, array[p.id::text], p.event_time + interval '3 days', (random() < p.score)::int::text from ${generation} p where p.id % 10 <> 0`,
    `insert into pgscore_data.evaluation (model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, score, p_actual, bin)
     select g.model_id, g.key, ${found.version_id}, p.run_id, date_trunc('day', p.event_time, 'UTC'), p.event_time, g.known_at, pgscore_data._age_band(g.known_at - p.event_time),
            g.label::smallint, p.label::smallint, p.score, case g.label when '1' then p.score else 1 - p.score end, pgscore_data._score_bin(p.score, (select mirrored from pgscore_data.score_bins))
       from ${generation} p join pgscore_data.ground_truth g on g.model_id = ${found.model_id} and g.key = array[p.id::text]`,
    `insert into pgscore_data.cell_volume as c (version_id, day, n_predictions, n_failed)
     select ${found.version_id}, date_trunc('day', p.event_time, 'UTC'), count(*), 0 from ${generation} p group by 2 on conflict do nothing`,
    `insert into pgscore_data.cell_score as c (version_id, day, bin, n, n_positive)
     select ${found.version_id}, date_trunc('day', p.event_time, 'UTC'), pgscore_data._score_bin(p.score, (select mirrored from pgscore_data.score_bins)), count(*), count(*) filter (where p.label = '1') from ${generation} p group by 2, 3 on conflict do nothing`,
    `select pgscore_data._recount(${found.version_id}, '-infinity', 'infinity')`,
    'select pgscore_data._add_deltas()',
    'truncate pgscore_data.refresh_delta, pgscore_data.touched',
    'vacuum (analyze)',
    'checkpoint',
  ];
  for (const line of statements) await owner.query(line);
  return { modelId: found.model_id, versionId: found.version_id, table: generation, predictions };
}

const FIND = `select v.model_id, r.version_id, r.target_id from pgscore_data.run r join pgscore_data.version v using (version_id) where r.source_name = $1 order by r.run_id desc limit 1`;
