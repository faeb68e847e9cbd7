import type { Client } from 'pg';
import { runPipeline } from '../../../src/postgres/pipeline.ts';
import { beginPublication, finishRun, createGeneration, indexGeneration } from '../../../src/runs/publish.ts';
import type { Target } from '../../../src/runs/run.ts';
import { supersede } from '../../../src/scorer/write-predictions.ts';
import { said, type Watched } from './watched.ts';

/** What a run scored, column by column. Times are milliseconds. */
export type FinishedRun = {
  readonly snapshotAt: number;
  readonly ids: ArrayLike<number>;
  /** What the model gives for each row; NaN: the row cannot be scored. */
  readonly given: ArrayLike<number>;
  /** What its event_time column says, if the source has one. */
  readonly times?: readonly (number | null)[];
  /** Values by segment column. */
  readonly segments?: Readonly<Record<string, readonly (string | null)[]>>;
  /** Whether the latest view is to show it, if no newer run is there: as the champion's. */
  readonly publish?: boolean;
  /** As a large run: in a generation of its own, which a sweep takes one day. */
  readonly isLarge?: boolean;
};

// Once: a global takes a hundred times as long in Jest's sandbox.
const { isNaN } = Number;
const ROWS =
  'create temp table if not exists scored_row (id int, event_time timestamptz, score float8, label text, probabilities float8[], failed boolean, segments text[])';

/** Puts a finished run into the database as the service would have left it before a refresh; its number. */
export async function addFinishedRun(superuser: Client, model: Watched, run: FinishedRun): Promise<string> {
  await superuser.query(ROWS);
  await superuser.query('begin');
  await fill(superuser, model, run);
  const runId = await addRunning(superuser, model, run);
  const snapshotAt = new Date(run.snapshotAt).toISOString();
  const [own] = run.isLarge === true ? await createGeneration(superuser, runId, 1) : [];
  if (own !== undefined) {
    await insertRows(superuser, model, own.generation, runId);
    await indexGeneration(superuser, model.targetId, own.generation);
  }
  const [target] = await beginPublication(superuser, runId, 1, WORKER, snapshotAt, null, null);
  if (target === undefined) throw new Error('the run was lost');
  const shared = target.latest ? target.current_generation : 0;
  if (own === undefined) {
    if (target.latest) await runPipeline(superuser, [supersede(targetOf(model), shared)]);
    await insertRows(superuser, model, shared, runId);
  }
  await addTallies(superuser, model, runId);
  const failed = Array.from(run.given).filter((given) => isNaN(given)).length;
  await finishRun(
    superuser,
    runId,
    snapshotAt,
    target.latest,
    own?.generation ?? shared,
    run.ids.length,
    failed,
    0,
    null,
  );
  await superuser.query('commit');
  return runId;
}

const WORKER = '00000000-0000-4000-8000-000000000000';

function targetOf({ task, targetId }: Watched): Target {
  const valueColumns = { binary: ['no', 'yes'], multiclass: ['a', 'b', 'c'], regression: [] }[task];
  return {
    targetId,
    task,
    keys: [{ name: 'id', sql_type: 'integer' }],
    classLabels: valueColumns,
    valueColumns: valueColumns.map((label) => `probability_${label}`),
    currentGeneration: 0,
    currentRows: 0,
  };
}

async function addRunning(superuser: Client, model: Watched, run: FinishedRun): Promise<string> {
  const { rows } = await superuser.query<{ run_id: string }>(
    `insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, rls, publish, state, attempt, claimed_by, segments)
     values ('alice', $1, $2, 'public', 'source', 'ctid', '{}', 'error', $3, 'running', 1, $4, $5) returning run_id`,
    [
      model.versionId,
      model.targetId,
      run.publish ?? true,
      WORKER,
      run.segments === undefined ? null : Object.keys(run.segments),
    ],
  );
  const [added] = rows;
  if (added === undefined) throw new Error('the run was not made');
  return added.run_id;
}

async function fill(superuser: Client, { task }: Watched, run: FinishedRun): Promise<void> {
  const answers = Array.from(run.given, (x) => (isNaN(x) ? undefined : said(task, x)));
  const columns = Object.values(run.segments ?? {});
  await superuser.query('truncate scored_row');
  await superuser.query(
    `insert into scored_row
     select x.id, x.event_time, x.score, x.label, case when x.a is not null then array[x.a, x.b, x.c] end, x.failed,
            case when x.segments is not null then
              (select array_agg(s.value order by s.n) from jsonb_array_elements_text(x.segments) with ordinality as s (value, n)) end
       from unnest($1::int[], $2::timestamptz[], $3::float8[], $4::text[], $5::float8[], $6::float8[], $7::float8[], $8::boolean[], $9::jsonb[])
         as x (id, event_time, score, label, a, b, c, failed, segments)`,
    [
      literalOf(Array.from(run.ids)),
      literalOf(run.times?.map((time) => (time === null ? null : new Date(time).toISOString())) ?? []),
      literalOf(answers.map((answer) => answer?.score ?? null)),
      literalOf(answers.map((answer) => answer?.label ?? null)),
      ...[0, 1, 2].map((place) =>
        literalOf(task === 'multiclass' ? answers.map((answer) => answer?.probabilities?.[place] ?? null) : []),
      ),
      literalOf(answers.map((answer) => (answer === undefined ? 'true' : 'false'))),
      columns.length === 0 ? [] : answers.map((_, row) => JSON.stringify(columns.map((column) => column[row] ?? null))),
    ],
  );
}

/** An array as PostgreSQL reads it, of values without a comma. pg, which quotes each, takes ten times as long in Jest's sandbox. */
function literalOf(values: readonly (number | string | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}

/** Columns that hold an answer beside its score, and what stands in them. */
const ANSWERED = {
  binary: [', label, probability_no, probability_yes', ', r.label, 1 - r.score, r.score'],
  multiclass: [
    ', label, probability_a, probability_b, probability_c',
    ', r.label, r.probabilities[1], r.probabilities[2], r.probabilities[3]',
  ],
  regression: ['', ''],
} as const;

async function insertRows(superuser: Client, model: Watched, generation: number, runId: string): Promise<void> {
  const table = `pgscore_predictions.target_${model.targetId}_g${generation}`;
  const [columns, values] = ANSWERED[model.task];
  const insert = `insert into ${table} (generation, run_id, id, event_time, score, error_code, pgscore_segments${columns})
    select $1, $2, r.id, r.event_time, r.score, case when r.failed then 'bad_value' end, r.segments${values} from scored_row r`;
  await superuser.query(insert, [generation, runId]);
}

/** What the scorer counts: by day, where the source says one, and by segment. */
async function addTallies(superuser: Client, model: Watched, runId: string): Promise<void> {
  await superuser.query(
    `with edges as materialized (select mirrored || '{}'::float8[] as mirrored from pgscore_data.score_bins)
     insert into pgscore_data.day_tally (run_id, attempt, shard, day, bins, counts, positives)
     select $1, 1, 0, t.day, array_agg(t.bin), array_agg(t.n), array_agg(t.n_positive)
       from (select date_trunc('day', r.event_time, m.time_zone) as day,
                    (case when r.failed then -2 when m.task = 'binary' then pgscore_data._score_bin(r.score, b.mirrored) else -1 end)::smallint as bin,
                    count(*) as n, count(*) filter (where r.score >= m.threshold) as n_positive
               from scored_row r cross join edges b
              cross join (select mo.time_zone, e.task, e.threshold from pgscore_data.execution e join pgscore_data.version v using (version_id)
                            join pgscore_data.monitor mo using (model_id) where e.version_id = $2) m
              group by 1, 2) t
      group by t.day`,
    [runId, model.versionId],
  );
  await superuser.query(
    `insert into pgscore_data.segment_tally (run_id, attempt, shard, day, positions, names, counts, failed)
     select $1, 1, 0, t.day, array_agg(t.place), array_agg(t.value), array_agg(t.n), array_agg(t.failed)
       from (select date_trunc('day', r.event_time, mo.time_zone) as day, s.place, s.value, count(*) filter (where not r.failed) as n, count(*) filter (where r.failed) as failed
               from scored_row r cross join lateral unnest(r.segments) with ordinality as s (value, place)
               join pgscore_data.version v on v.version_id = $2 join pgscore_data.monitor mo using (model_id)
              group by 1, 2, 3) t
      group by t.day`,
    [runId, model.versionId],
  );
}
