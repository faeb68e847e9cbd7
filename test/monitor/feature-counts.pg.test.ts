import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { stageFeatures, unitBins } from './golden/staged-features.ts';
import { addRun, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const DAYS = ['2026-03-02 00:00+00', '2026-03-03 00:00+00'] as const;
const EVEN = [0, 0, ...Array.from({ length: 10 }, () => 100), 0];

async function stage(name: string): Promise<MonitoredModel> {
  const windows = Object.fromEntries(DAYS.map((day) => [day, EVEN]));
  const feature = { name: 'x', kind: 'number', ...unitBins(10), baseline: EVEN, windows } as const;
  const model = await stageFeatures(superuser, name, [feature]);
  await superuser.query('select pgscore.refresh()');
  return model;
}

/** A finished run that read `n` values which lie in one slot of feature 1 on the first day, counted by `attempt`. */
async function addTally(model: MonitoredModel, slot: number, n: number, attempt = 1): Promise<void> {
  const run = await addRun(superuser, model, [{ id: 1, at: DAYS[0], score: 1 }]);
  await superuser.query(
    `insert into pgscore_data.feature_tally (run_id, attempt, shard, set_id, day, features, slots, counts, sums)
     select $1, $2, 0, set_id, $3::timestamptz, '{1,1}', array[0, $5]::smallint[], array[$4, $4]::bigint[], array[$4 * 2.5]
       from pgscore_data.feature_set where version_id = $6`,
    [run, attempt, DAYS[0], n, slot, model.versionId],
  );
  await superuser.query('select pgscore.refresh()');
}

type Shown = { day: string; n: number; psi: number; mean: number | null; floor: number; written: string };

async function shown(name: string): Promise<Shown[]> {
  const { rows } = await superuser.query<Shown>(
    `select d.day::date::text as day, d.n::int, d.psi, d.mean, d.psi_floor as floor, d.xmin::text as written
       from pgscore_data.drift_value d join pgscore_data.feature_set using (set_id) join pgscore_data.version using (version_id) join pgscore_data.model m using (model_id)
      where m.name = $1 order by 1`,
    [name],
  );
  return rows;
}

test('what a run read is added to its day, and only that day is compared anew', async () => {
  const model = await stage('added');
  const before = await shown('added');
  expect(before.map(({ n, psi }) => [n, psi])).toEqual([
    [1000, 0],
    [1000, 0],
  ]);
  await addTally(model, 5, 200);
  const [first, second] = await shown('added');
  expect(first).toMatchObject({ n: 1200, mean: 2.5 });
  expect(first?.psi).toBeGreaterThan(0.02);
  expect(second).toEqual(before[1]);
});

test('an attempt that came to nothing does not count, nor what was counted in bins that are forgotten', async () => {
  const model = await stage('lost');
  await addTally(model, 5, 200, 7);
  expect(await shown('lost')).toMatchObject([{ n: 1000 }, { n: 1000 }]);
  const left = await superuser.query('select from pgscore_data.feature_tally');
  expect(left.rows).toEqual([]);
  const run = await addRun(superuser, model, [{ id: 2, at: DAYS[0], score: 1 }]);
  const forgotten = `insert into pgscore_data.feature_tally values ($1, 1, 0, -1, $2, '{1}', '{5}', '{5}', '{}')`;
  await superuser.query(forgotten, [run, DAYS[0]]);
  await superuser.query('select pgscore.refresh()');
  expect(await shown('lost')).toMatchObject([{ n: 1000 }, { n: 1000 }]);
  expect((await superuser.query('select from pgscore_data.feature_tally')).rows).toEqual([]);
});

test('a day or a baseline that counted nothing has no distances, and holds up no other', async () => {
  const nothing = EVEN.map(() => 0);
  const bins = unitBins(10);
  const windows = { [DAYS[0]]: EVEN, [DAYS[1]]: nothing };
  await stageFeatures(superuser, 'nothing', [
    { name: 'x', kind: 'number', ...bins, baseline: EVEN, windows },
    { name: 'y', kind: 'number', ...bins, baseline: nothing, windows },
  ]);
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(
    `select feature_name as name, n::int, psi, status, undefined_reason as reason from pgscore_bi.feature_drift_daily where model_name = 'nothing' order by window_date, feature_name`,
  );
  expect(rows).toEqual([
    { name: 'x', n: 1000, psi: 0, status: 'ok', reason: null },
    { name: 'y', n: 1000, psi: null, status: 'insufficient_data', reason: 'no_baseline' },
    { name: 'x', n: 0, psi: null, status: 'insufficient_data', reason: 'no_values' },
    { name: 'y', n: 0, psi: null, status: 'insufficient_data', reason: 'no_baseline' },
  ]);
  const shares = `select sum(n)::int as n, round(sum(share)::numeric, 9)::float8 as share from pgscore_bi.feature_distribution_daily where model_name = 'nothing'`;
  expect((await superuser.query(shares)).rows).toEqual([{ n: 2000, share: 2 }]);
});

test('another floor, or another baseline, has every day compared anew', async () => {
  await stage('settings');
  await superuser.query(`select pgscore.monitor_features('settings', psi_floor => 0.005)`);
  await superuser.query('select pgscore.refresh()');
  expect((await shown('settings')).map(({ floor }) => floor)).toEqual([0.005, 0.005]);
});

test('a version has up to fifty categories with a bin, and nothing that occurs seldom is shown', async () => {
  const common = Array.from({ length: 60 }, (_, n) => Array.from({ length: 10 + n }, () => `common ${n}`)).flat();
  const seldom = Array.from({ length: 9 }, () => 'alice@example.com');
  const bins = 'select categories, others from pgscore_data._category_bins($1)';
  const { rows } = await superuser.query<{ categories: string[]; others: string[] }>(bins, [
    [...common, ...seldom, null],
  ]);
  expect(rows[0]?.categories).toHaveLength(50);
  expect(rows[0]?.categories[0]).toBe('common 59');
  expect(rows[0]?.others).toHaveLength(11);
  expect(rows[0]?.others).toContain('alice@example.com');
  const many = Array.from({ length: 1001 }, (_, n) => `only once ${n}`);
  expect((await superuser.query(bins, [many])).rows).toEqual([{ categories: [], others: null }]);
});
