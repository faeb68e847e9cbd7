import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { at, evaluate, told } from './alert-days.ts';
import { stageFeatures, unitBins } from './golden/staged-features.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** 1 March 2026 is day 0, a Sunday; weeks begin on days 1, 8, 15, …, months on 0, 31, 61, 92. */
type Series = {
  readonly days: number;
  readonly rows: (day: number) => number;
  readonly shifted: (day: number) => boolean;
};

const STEADY = [0, 0, 1, 1, 1, 0];
const SHIFTED = [0, 0, 4, 1, 0, 0];

/** A model with one feature, of which a day becomes known after the other; its alerts are looked at every so many mornings. */
async function lived(name: string, { days, rows, shifted }: Series, every = 1): Promise<void> {
  const feature = { name: 'x', kind: 'number' as const, ...unitBins(3), baseline: STEADY.map((one) => one * 5000) };
  const model = await stageFeatures(superuser, name, [{ ...feature, windows: {} }]);
  const put = `with put as (
      insert into pgscore_data.cell_feature
      select f.set_id, (d ->> 0)::timestamptz, 1, array(select jsonb_array_elements_text(d -> 1)::bigint), 0, 0
        from pgscore_data.feature_set f cross join jsonb_array_elements($2::jsonb) d where f.version_id = $1 returning set_id, day
    ) insert into pgscore_data.touched_feature select set_id, day from put`;
  for (let first = 0; first < days; first += every) {
    const end = Math.min(days, first + every);
    const known = Array.from({ length: end - first }, (_, n) => {
      const shape = shifted(first + n) ? SHIFTED : STEADY;
      const total = shape.reduce((sum, one) => sum + one);
      return [at(first + n), shape.map((one) => (one * rows(first + n)) / total)];
    });
    await superuser.query(put, [model.versionId, JSON.stringify(known)]);
    await superuser.query('select pgscore_data._compute_drift()');
    if (end - first === every) await evaluate(superuser, at(end, 6));
  }
}

/** The windows that the rule could judge, as grain and first day. */
async function judged(name: string): Promise<string[]> {
  const read = `select grain || ' ' || (window_start::date - date '2026-03-01') as said
    from pgscore_data.alert_window w join pgscore_data.model m using (model_id) where m.name = $1 and rule = 'feature_drift' and is_usable order by window_end`;
  return (await superuser.query<{ said: string }>(read, [name])).rows.map(({ said }) => said);
}

const from = (first: number, to: number) => (day: number) => day >= first && day < to;
const never = () => false;

test('a model whose days have too few rows is told of drift by weeks, with the same thresholds and hysteresis', async () => {
  await lived('weekly', { days: 43, rows: () => 150, shifted: from(15, 29) });
  expect(await judged('weekly')).toEqual(['week 1', 'week 8', 'week 15', 'week 22', 'week 29', 'week 36']);
  expect(await told(superuser, 'weekly', 'feature_drift')).toEqual([
    { event: 'firing', day: 22, value: expect.closeTo(3.18, 2) },
    { event: 'resolved', day: 36, value: 0 },
  ]);
  expect(await told(superuser, 'weekly', 'dataset_drift')).toEqual([
    { event: 'firing', day: 22, value: 1 },
    { event: 'resolved', day: 36, value: 0 },
  ]);
});

test('one whose weeks have too few is told by months', async () => {
  await lived('monthly', { days: 154, rows: () => 30, shifted: from(31, 92) }, 7);
  expect(await judged('monthly')).toEqual(['month 0', 'month 31', 'month 61', 'month 92', 'month 122']);
  expect(await told(superuser, 'monthly', 'feature_drift')).toMatchObject([
    { event: 'firing', day: 61 },
    { event: 'resolved', day: 122 },
  ]);
});

test('one whose days have enough is told by days, and by nothing else', async () => {
  await lived('daily', { days: 16, rows: () => 300, shifted: from(4, 8) });
  expect(await judged('daily')).toEqual(Array.from({ length: 16 }, (_, day) => `day ${day}`));
  expect(await told(superuser, 'daily', 'feature_drift')).toMatchObject([
    { event: 'firing', day: 5 },
    { event: 'resolved', day: 9 },
  ]);
});

test('a model about the limit, drifted for good, raises one alert: days do not give way to weeks and come back', async () => {
  const rows = (day: number): number => [150, 240, 150, 300, 150, 150, 210][day % 7] ?? 0;
  await lived('about', { days: 40, rows, shifted: from(10, 40) });
  expect(new Set((await judged('about')).map((said) => said.split(' ')[0]))).toEqual(new Set(['day']));
  expect((await told(superuser, 'about', 'feature_drift')).map(({ event }) => event)).toEqual(['firing']);
});

test('a model that grows is told by weeks, then by days, and a raised alert stays raised over the change', async () => {
  await lived('growing', { days: 40, rows: (day) => (day < 29 ? 150 : 600), shifted: from(8, 40) });
  const said = await judged('growing');
  expect(said.slice(0, 6)).toEqual(['week 1', 'week 8', 'week 15', 'week 22', 'day 29', 'day 30']);
  expect(await told(superuser, 'growing', 'feature_drift')).toMatchObject([{ event: 'firing', day: 15 }]);
  const alert = `select state, grain, n::int from pgscore_bi.alerts where model_name = 'growing' and alert = 'feature_drift'`;
  expect((await superuser.query(alert)).rows).toEqual([{ state: 'firing', grain: 'day', n: 600 }]);
});

test('preview_monitor() says of weeks what was said in time', async () => {
  const preview = `select grain, window_date - date '2026-03-01' as day, value, n::int, state, event from pgscore.preview_monitor('weekly', 'feature_drift') where state <> 'insufficient_data'`;
  const { rows } = await alice.query<{ grain: string; day: number; event: string | null }>(preview);
  expect(rows.map(({ grain, day }) => `${grain} ${day}`)).toEqual(await judged('weekly'));
  expect(rows.filter(({ event }) => event !== null)).toMatchObject([
    { day: 22, event: 'firing', n: 1050 },
    { day: 36, event: 'resolved', n: 1050 },
  ]);
});

test('weeks of a history that is scored at once raise nothing', async () => {
  await lived('history', { days: 120, rows: () => 150, shifted: from(15, 29) }, 1000);
  await evaluate(superuser, at(120, 6));
  expect(await told(superuser, 'history', 'feature_drift')).toEqual([]);
});

test('the tall view has the drift of weeks and months, with the thresholds of the rule that looked at them', async () => {
  const read = `select grain, metric, count(*)::int, count(upper_threshold)::int as judged from pgscore_bi.model_metric
    where model_name = 'weekly' and metric in ('psi', 'drift_share') group by 1, 2 order by 1, 2`;
  expect((await superuser.query(read)).rows).toEqual([
    { grain: 'day', metric: 'drift_share', count: 43, judged: 1 },
    { grain: 'day', metric: 'psi', count: 43, judged: 1 },
    { grain: 'month', metric: 'drift_share', count: 2, judged: 0 },
    { grain: 'month', metric: 'psi', count: 2, judged: 0 },
    { grain: 'week', metric: 'drift_share', count: 7, judged: 6 },
    { grain: 'week', metric: 'psi', count: 7, judged: 6 },
  ]);
});

test('a rule of one grain about drift looks at that grain; auto is its default', async () => {
  await lived('set', { days: 16, rows: () => 300, shifted: never });
  await alice.query(`select pgscore.set_alert('set', 'by_week', 'psi', threshold => 0.2, grain => 'week')`);
  await alice.query(`select pgscore.set_alert('set', 'anyhow', 'psi', threshold => 0.2)`);
  await evaluate(superuser, at(17, 6));
  const grains = `select distinct grain from pgscore_data.alert_window where rule = $1 and is_usable order by 1`;
  expect((await superuser.query(grains, ['by_week'])).rows).toEqual([{ grain: 'week' }]);
  expect((await superuser.query(grains, ['anyhow'])).rows).toEqual([{ grain: 'day' }]);
});
