import type pg from 'pg';
import { TRUTH, type History } from './history.ts';

/**
 * How labels change: most of them arrive, for predictions that had none, with two in a hundred corrected and one in two
 * hundred withdrawn; or all of them are corrections.
 */
export type Change = 'arrived' | 'corrected';

/** What bringing accuracy up to date costs, in milliseconds. */
export type RefreshCost = {
  readonly change: Change;
  /** Labels that had changed, spread over all days. */
  readonly labels: number;
  /** The cells, which is all that counts and ratios need. */
  readonly cellsMs: number;
  /** Metrics of the windows that were touched that take more than sums. */
  readonly metricsMs: number;
};

/** Changes labels, as a trigger on the user's table would have queued it, and brings everything up to date. */
export async function measureRefresh(
  owner: pg.Client,
  history: History,
  change: Change,
  labels: number,
): Promise<RefreshCost> {
  const { modelId, predictions } = history;
  const [corrected, withdrawn] = change === 'corrected' ? [labels, 0] : [labels / 50, labels / 200];
  await owner.query(CORRECT, [modelId, predictions, Math.floor(corrected)]);
  await owner.query(WITHDRAW, [modelId, predictions, Math.floor(withdrawn)]);
  if (change === 'arrived')
    await owner.query(arrive(history), [modelId, predictions, labels - Math.floor(corrected) - Math.floor(withdrawn)]);
  await owner.query('analyze pgscore_data.label_change');
  const cellsMs = await milliseconds(owner, 'select pgscore_data._refresh() as more');
  const metricsMs = await milliseconds(owner, 'select pgscore_data._compute_metrics() as more');
  return { change, labels, cellsMs, metricsMs };
}

/** Repeats a step until nothing is left to do. */
async function milliseconds(owner: pg.Client, step: string): Promise<number> {
  const began = performance.now();
  for (;;) {
    const { rows } = await owner.query<{ more: boolean }>(step);
    if (rows[0]?.more !== true) return performance.now() - began;
  }
}

/** Every n-th number up to $2, from a random one on: $3 of them, or one less. */
const PICKED = `select distinct 1 + (offset_ + k * ($2::bigint / greatest($3::bigint, 1))) % $2::bigint as id
      from generate_series(0, $3::bigint - 1) k, (select floor(random() * $2)::bigint as offset_) o`;

/** Whether a label e is of the entity of this number: what its index is asked. */
function keyed(id: string): string {
  return `hash_array(e.key) = hash_array(array[${id}::text] collate "C") and e.key = array[${id}::text]`;
}

/** Of ten entities the last has no label at first. */
const LABELLED = `(${PICKED}) picked
    cross join lateral (select * from pgscore_data.evaluation e where e.model_id = $1 and ${keyed('(picked.id - (picked.id % 10 = 0)::int)')} limit 1) e`;

const CORRECT = `insert into pgscore_data.label_change (model_id, key, known_at, label)
  select e.model_id, e.key, e.known_at, case e.label when '1' then '0' else '1' end from ${LABELLED}`;

const WITHDRAW = `insert into pgscore_data.label_change (model_id, key, known_at, retracted)
  select e.model_id, e.key, e.known_at, true from ${LABELLED}`;

/** Of the tenth that had no label at first, $3 that have none yet. */
function arrive({ table }: History): string {
  return `insert into pgscore_data.label_change (model_id, key, known_at, label)
    select $1, array[p.id::text], p.event_time + interval '3 days', ${TRUTH}::text
      from (select i from generate_series(10, $2::bigint, 10) i order by hashint8(i)) mixed
     cross join lateral (select * from ${table} x where x.id = mixed.i offset 0) p
     where not exists (select from pgscore_data.evaluation e where e.model_id = $1 and ${keyed('p.id')})
     limit $3`;
}

/** The same cells as a materialised view, which PostgreSQL can only compute anew: milliseconds of one REFRESH. */
export async function measureMaterialised(owner: pg.Client, { modelId, table }: History): Promise<number> {
  const create = `create materialized view pgscore_bench.accuracy as
    select date_trunc('day', p.event_time, 'UTC') as day, p.label as said, e.label as truth,
           pgscore_data._score_bin(p.score, (select b.mirrored || '{}'::float8[] from pgscore_data.score_bins b)) as bin, count(*) as n, sum(p.score::numeric) as sum_score,
           sum(((case e.label when '1' then 1 else 0 end - p.score) ^ 2)::numeric) as sum_brier
      from ${table} p join pgscore_data.evaluation e on e.model_id = ${modelId} and e.key = array[p.id::text]
     group by 1, 2, 3, 4 with no data`;
  await owner.query(create);
  const began = performance.now();
  await owner.query('refresh materialized view pgscore_bench.accuracy');
  const took = performance.now() - began;
  await owner.query('drop materialized view pgscore_bench.accuracy');
  return took;
}
