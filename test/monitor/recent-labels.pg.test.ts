import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const model = await addMonitoredModel(superuser, 'aged', 'binary');

const DAY = '2026-03-01 00:00+00';
const LABELS = 100;

beforeAll(async () => {
  const rows = Array.from({ length: LABELS }, (_, n) => ({
    id: n + 1,
    at: DAY,
    score: (n + 0.5) / LABELS,
    label: n < 50 ? 'no' : 'yes',
  }));
  await addRun(superuser, model, rows);
  const keyed = `update pgscore_data.monitor set key_types = '{bigint}' where model_id = $1`;
  await superuser.query(keyed, [model.modelId]);
  await say('yes', 1, LABELS);
});

/** Labels these entities; null withdraws their labels. */
async function say(label: string | null, from: number, to: number): Promise<void> {
  const insert = `insert into pgscore_data.label_change (model_id, key, label, retracted) select $1, array[n::text], $2, $2::text is null from generate_series($3::int, $4::int) n`;
  await superuser.query(insert, [model.modelId, label, from, to]);
  await superuser.query('select pgscore.refresh()');
}

/** Labels among the recent ones and among the others. */
async function held(): Promise<unknown> {
  const count = `select (select count(*) from pgscore_data.evaluation_recent)::int as recent, (select count(*) from pgscore_data.evaluation_earlier)::int as earlier`;
  return (await superuser.query(count)).rows[0];
}

async function performance(): Promise<unknown> {
  const read = `select n_labeled::int, accuracy from pgscore_bi.binary_performance_daily where model_name = 'aged' and segment_key is null`;
  return (await superuser.query(read)).rows[0];
}

test('labels stay recent until they are many, and are then moved some at a time', async () => {
  const move = 'select pgscore_data._move_recent(most => 60, from_bytes => $1) as more';
  expect((await superuser.query(move, [2 ** 30])).rows).toEqual([{ more: false }]);
  expect(await held()).toEqual({ recent: LABELS, earlier: 0 });
  expect((await superuser.query(move, [0])).rows).toEqual([{ more: true }]);
  expect(await held()).toEqual({ recent: 40, earlier: 60 });
  expect((await superuser.query(move, [0])).rows).toEqual([{ more: false }]);
  expect(await held()).toEqual({ recent: 0, earlier: LABELS });
  expect(await performance()).toEqual({ n_labeled: LABELS, accuracy: 0.5 });
});

test('a label that is no longer recent is corrected and withdrawn where it is', async () => {
  await say('no', 1, 20);
  expect(await held()).toEqual({ recent: 0, earlier: LABELS });
  expect(await performance()).toEqual({ n_labeled: LABELS, accuracy: 0.7 });
  await say(null, 1, 10);
  expect(await held()).toEqual({ recent: 0, earlier: 90 });
  await say('no', 1, 10);
  expect(await held()).toEqual({ recent: 10, earlier: 90 });
  expect(await performance()).toEqual({ n_labeled: LABELS, accuracy: 0.7 });
});

const AUC = `select value from pgscore_data.metric_value where version_id = $1 and grain = 'day' and metric = 'roc_auc'`;
const LOG = `select count(*)::int as rows, sum(n)::int as n, sum(sum_score)::float8 as score, count(distinct (positive, bin))::int as cells from pgscore_data.cell_outcome_score where version_id = $1`;

test('what refreshes logged of scores is folded when there is much of it, and says the same', async () => {
  const read = async () =>
    [
      (await superuser.query(AUC, [model.versionId])).rows,
      (await superuser.query<{ rows: number; n: number; score: number; cells: number }>(LOG, [model.versionId]))
        .rows[0],
    ] as const;
  const [auc, before] = await read();
  const pad = `insert into pgscore_data.score_log
    select l.version_id, l.day, l.positive, l.bins[1:1], array[s.sign], array[s.sign * 0.5] from (select * from pgscore_data.score_log where version_id = $1 limit 1) l cross join (values (1), (-1)) s (sign) cross join generate_series(1, 3001)`;
  await superuser.query(pad, [model.versionId]);
  await superuser.query(
    'insert into pgscore_data.touched select distinct version_id, day from pgscore_data.cell_outcome_score',
  );
  await superuser.query('select pgscore.refresh()');
  const [aucAfter, after] = await read();
  expect(aucAfter).toEqual(auc);
  expect(after).toEqual({ ...before, rows: after?.cells, cells: after?.cells });
  expect(after?.rows).toBeLessThanOrEqual(LABELS);
});
