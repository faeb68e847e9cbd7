import type { Client } from 'pg';

import { addTallies } from './add-tallies.ts';

export type MonitoredModel = {
  readonly modelId: number;
  readonly versionId: number;
  readonly targetId: number;
};

type Task = 'binary' | 'multiclass' | 'regression';

const CLASSES = { binary: ['no', 'yes'], multiclass: ['a', 'b', 'c'], regression: [] } as const;

/**
 * A model with a ready version of 2020 and an empty target keyed by an integer, without a service: predictions are put in by
 * `addRun`.
 */
export async function addMonitoredModel(superuser: Client, name: string, task: Task): Promise<MonitoredModel> {
  const classes: readonly string[] = CLASSES[task];
  const { rows } = await superuser.query<MonitoredModel>(
    `with model as (
       insert into pgscore_data.model (name, created_by) values ($1, current_user) returning model_id
     ), granted as (
       insert into pgscore_data.model_grant (model_id, grantee, granted_by) select model_id, 'pgscore_user', current_user from model
     ), version as (
       insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by, deployed_at)
       select model_id, 1, 'ready', '', 1, jsonb_build_object('task', $2::text, 'classLabels', to_jsonb($3::text[]), 'features', '[]'::jsonb), current_user, '2020-01-01' from model
       returning model_id, version_id
     ), executed as (
       insert into pgscore_data.execution (version_id, task, class_labels, positive_class, threshold, probabilities, features, native, parts)
       select version_id, $2::text, $3::text[], case $2::text when 'binary' then 2 end, case $2::text when 'binary' then 0.5 end, $2::text <> 'regression', '{}', false, '{}' from version
       on conflict (version_id) do nothing
     )
     select model_id as "modelId", version_id as "versionId" from version`,
    [name, task, classes],
  );
  await superuser.query('set role alice');
  const target = await superuser.query<{ id: number }>(
    `insert into pgscore._target_request (view_schema, view_name, task, key_columns, class_labels)
     values ('alice', $1, $2, '[{"name": "id", "sql_type": "integer"}]', $3) returning target_id as id`,
    [`${name}_scores`, task, classes],
  );
  await superuser.query('reset role');
  const [model] = rows;
  const targetId = target.rows[0]?.id;
  if (model === undefined || targetId === undefined) throw new Error('the model was not made');
  return { ...model, targetId };
}

/** Another ready version of the model, with the same target. */
export async function addVersion(superuser: Client, model: MonitoredModel, number: number): Promise<MonitoredModel> {
  const { rows } = await superuser.query<{ id: number }>(
    `with version as (
       insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by, deployed_at)
       select model_id, $2, state, sha256, size_bytes, signature, deployed_by, deployed_at from pgscore_data.version where version_id = $1 returning version_id
     )
     insert into pgscore_data.execution (version_id, task, class_labels, positive_class, threshold, probabilities, features, native, parts)
     select v.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.features, e.native, e.parts
       from version v cross join pgscore_data.execution e where e.version_id = $1
     on conflict (version_id) do nothing returning version_id as id`,
    [model.versionId, number],
  );
  const [version] = rows;
  if (version === undefined) throw new Error('the version was not made');
  return { ...model, versionId: version.id };
}

export type MonitoredPrediction = {
  id: number;
  at: string;
  score: number;
  label?: string;
  probabilities?: number[];
  /** A value for each segment of its run. */
  segments?: readonly (string | null)[];
};

/** A finished run with these predictions, as a service would have left it; they have a value for each of `segments`. Returns its number. */
export async function addRun(
  superuser: Client,
  model: MonitoredModel,
  predictions: readonly MonitoredPrediction[],
  segments: readonly string[] = [],
): Promise<string> {
  // A service that runs beside must not count it before its tallies are there.
  await superuser.query('begin');
  const run = await insertRun(superuser, model, predictions, segments);
  await superuser.query('commit');
  return run;
}

async function insertRun(
  superuser: Client,
  { versionId, targetId }: MonitoredModel,
  predictions: readonly MonitoredPrediction[],
  segments: readonly string[],
): Promise<string> {
  const { rows } = await superuser.query<{ run_id: string; generation: number }>(
    `with numbered as (
       update pgscore_data.target set next_generation = next_generation + 1 where target_id = $2 returning next_generation - 1 as generation
     ), run as (
       insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, rls, state, attempt, generation, snapshot_at, segments)
       select 'alice', $1, $2, 'public', 'source', 'ctid', '{}', 'error', 'done', 1, generation, clock_timestamp(), nullif($3::text[], '{}') from numbered returning run_id, generation
     ), stored as (
       insert into pgscore_data.generation (target_id, generation, run_id, attempt, state) select $2, generation, run_id, 1, 'published' from run
     )
     select run_id, generation from run`,
    [versionId, targetId, segments],
  );
  const [run] = rows;
  if (run === undefined) throw new Error('the run was not made');
  const base = `pgscore_predictions.target_${targetId}`;
  const partition = `create table ${base}_g${run.generation} partition of ${base} for values in (${run.generation})`;
  await superuser.query(partition);
  const owned = `alter table ${base}_g${run.generation} owner to pgscore_owner`;
  await superuser.query(owned);
  const probabilities = predictions[0]?.probabilities;
  const extra = probabilities === undefined ? '' : ', probability_a, probability_b, probability_c';
  const extraValues = probabilities === undefined ? '' : ', (p ->> 3)::float8, (p ->> 4)::float8, (p ->> 5)::float8';
  const label = predictions[0]?.label === undefined ? ['', ''] : [', label', `, p ->> 6`];
  const insert = `insert into ${base} (generation, run_id, id, event_time, score, pgscore_segments${extra}${label[0]})
    select $1, $2, (p ->> 0)::int, (p ->> 1)::timestamptz, (p ->> 2)::float8, (select array_agg(s order by n) from jsonb_array_elements_text(p -> 7) with ordinality as x (s, n))${extraValues}${label[1]} from jsonb_array_elements($3::jsonb) p`;
  const values = predictions.map((p) => [
    p.id,
    p.at,
    p.score,
    ...(p.probabilities ?? [0, 0, 0]),
    p.label ?? null,
    p.segments ?? [],
  ]);
  await superuser.query(insert, [run.generation, run.run_id, JSON.stringify(values)]);
  await superuser.query('select pgscore_data._index_generation($1, $2)', [targetId, run.generation]);
  await addTallies(superuser, { runId: run.run_id, attempt: 1 }, versionId, predictions);
  await superuser.query(
    `insert into pgscore_data.segment_tally (run_id, attempt, shard, day, positions, names, counts, failed)
     select $1, 1, 0, t.day, array_agg(t.n), array_agg(t.s), array_agg(1), array_agg(0) from (
       select date_trunc('day', (p ->> 1)::timestamptz, 'UTC') as day, x.n, x.s
         from jsonb_array_elements($2::jsonb) p cross join jsonb_array_elements_text(p -> 7) with ordinality as x (s, n)
     ) t group by t.day`,
    [run.run_id, JSON.stringify(values)],
  );
  return run.run_id;
}
