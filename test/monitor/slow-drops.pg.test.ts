import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { howMany } from '../support/night.ts';
import { addMonitoredModel } from './monitored-model.ts';
import { Random, shareOf, shareWindow } from './slow-drops/random.ts';
import { watch, type Window } from './slow-drops/watch.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** A Monday, so long ago that preview_monitor(), which looks no further than now, sees all of it. */
const FIRST = Date.UTC(2024, 0, 1);
const at = (day: number): string => new Date(FIRST + day * 86_400_000).toISOString();

/** Puts all days of a binary classifier into the cells at once. */
async function addDays(name: string, days: readonly Window[]): Promise<void> {
  const { versionId } = await addMonitoredModel(superuser, name, 'binary');
  const cells = days.map(({ value, n }, day) => {
    const [hits, half] = [Math.round(value * n), Math.floor(n / 2)];
    const found = Math.min(half, Math.ceil(hits / 2));
    return [at(day), n, found, half - found, hits - found, n - half - (hits - found)];
  });
  const put = `with day as (
      select (c ->> 0)::timestamptz as at, (c ->> 1)::bigint as n, (c ->> 2)::bigint as tp, (c ->> 3)::bigint as fn, (c ->> 4)::bigint as tn, (c ->> 5)::bigint as fp
        from jsonb_array_elements($2::jsonb) c
    ), volume as (
      insert into pgscore_data.cell_volume (version_id, day, n_predictions, n_failed, n_scored) select $1, at, n, 0, n from day
    )
    insert into pgscore_data.cell_outcome (version_id, day, age_band, actual_class, predicted_class, n, sum_brier, sum_log_loss)
    select $1, d.at, 0, x.actual, x.predicted, x.n, 0, 0
      from day d cross join lateral (values (1, 1, d.tp), (1, 0, d.fn), (0, 0, d.tn), (0, 1, d.fp)) x (actual, predicted, n)`;
  await superuser.query(put, [versionId, JSON.stringify(cells)]);
}

/** What the rule would have raised and resolved, by the number of the day. */
async function said(name: string): Promise<{ at: number; event: string }[]> {
  const { rows } = await alice.query<{ at: number; event: string }>(
    `select window_date - date '2024-01-01' as at, event from pgscore.preview_monitor($1, 'accuracy_drop')
      where event is not null order by window_start`,
    [name],
  );
  return rows;
}

type Series = { usual: number; n: number; drop: number; from: number; days: number };

function windowsOf(seed: number, { usual, n, drop, from, days }: Series): Window[] {
  const random = new Random(seed);
  return Array.from({ length: days }, (_, day) => shareWindow(random, n, day < from ? usual : usual - drop));
}

test.each<[string, Series, number]>([
  ['of 5 points at 200 labels a day', { usual: 0.87, n: 200, drop: 0.05, from: 30, days: 60 }, howMany(5, 20)],
  ['of 5 points from 0.7 at 200 labels a day', { usual: 0.7, n: 200, drop: 0.05, from: 30, days: 60 }, howMany(3, 10)],
  ['of 10 points at 50 labels a day', { usual: 0.87, n: 50, drop: 0.1, from: 30, days: 60 }, howMany(5, 20)],
])('a lasting drop %s is raised within 30 days in 80 % of cases', async (what, series, cases) => {
  let raised = 0;
  for (let seed = 0; seed < cases; seed += 1) {
    const windows = windowsOf(seed, series);
    const name = `${what}_${seed}`.replaceAll(/\W+/g, '_');
    await addDays(name, windows);
    const events = await said(name);
    expect([name, events]).toEqual([name, watch(windows, 'share')]);
    if (events.some(({ event, at: day }) => event === 'firing' && day >= series.from)) raised += 1;
  }
  expect(raised / cases).toBeGreaterThanOrEqual(0.8);
});

test.each([
  [0.87, 200],
  [0.6, 50],
  [0.97, 50],
])(
  'an accuracy of %s at %s labels a day that does not change raises at most one alert in 200 days',
  async (usual, n) => {
    for (let seed = 0; seed < howMany(1, 4); seed += 1) {
      const windows = windowsOf(100 + seed, { usual, n, drop: 0, from: 0, days: 207 });
      const name = `quiet_${usual * 100}_${n}_${seed}`;
      await addDays(name, windows);
      const events = await said(name);
      expect([name, events]).toEqual([name, watch(windows, 'share')]);
      expect(events.filter(({ event }) => event === 'firing').length).toBeLessThanOrEqual(1);
    }
  },
);

test('a model of 24 rows a day is watched by weeks, and its lasting drop is raised and resolved', async () => {
  const random = new Random(1);
  const days = Array.from({ length: 7 * 52 }, (_, day) =>
    shareWindow(random, 24, day >= 140 && day < 224 ? 0.77 : 0.87),
  );
  await addDays('small', days);
  const weeks = Array.from({ length: 52 }, (_, week): Window => {
    const hits = days.slice(7 * week, 7 * week + 7).reduce((sum, { value, n }) => sum + value * n, 0);
    return shareOf(Math.round(hits), 168);
  });
  const expected = watch(weeks, 'share').map(({ at: week, event }) => ({ at: 7 * week, event }));
  expect(await said('small')).toEqual(expected);
  expect(expected).toEqual([
    { at: expect.any(Number), event: 'firing' },
    { at: expect.any(Number), event: 'resolved' },
  ]);
  expect(expected[0]?.at).toBeLessThanOrEqual(140 + 28);
  const grains = await alice.query(
    `select distinct grain from pgscore.preview_monitor('small', 'accuracy_drop') where state <> 'insufficient_data'`,
  );
  expect(grains.rows).toEqual([{ grain: 'week' }]);
});

test('one of 3 rows a day is watched by months', async () => {
  const random = new Random(2);
  await addDays(
    'tiny',
    Array.from({ length: 400 }, () => shareWindow(random, 3, 0.8)),
  );
  const { rows } = await alice.query(
    `select grain, count(*)::int from pgscore.preview_monitor('tiny', 'accuracy_drop') where state <> 'insufficient_data' group by grain`,
  );
  expect(rows).toEqual([{ grain: 'month', count: expect.any(Number) }]);
});

test('errors of a regression that rise by a fifth for good are raised, and those that stay are not', async () => {
  const { versionId } = await addMonitoredModel(superuser, 'errors', 'regression');
  const random = new Random(3);
  const days = Array.from({ length: 90 }, (_, day) => [at(day), (day < 60 ? 1 : 1.2) + 0.04 * random.normal()]);
  const put = `with day as (
      select (c ->> 0)::timestamptz as at, (c ->> 1)::float8 as mae from jsonb_array_elements($2::jsonb) c
    ), volume as (
      insert into pgscore_data.cell_volume (version_id, day, n_predictions, n_failed, n_scored) select $1, at, 200, 0, 200 from day
    )
    insert into pgscore_data.cell_regression (version_id, day, age_band, n, sum_error, sum_abs_error, sum_error2, sum_error4, sum_actual, sum_actual2, sum_abs_actual, n_zero_actual, sum_relative_error)
    select $1, at, 0, 200, 0, 200 * mae, 200 * mae ^ 2 * pi() / 2, 0, 0, 1000, 200, 0, 0 from day`;
  await superuser.query(put, [versionId, JSON.stringify(days)]);
  const { rows } = await alice.query<{ at: number; event: string }>(
    `select window_date - date '2024-01-01' as at, event from pgscore.preview_monitor('errors', 'error_rise') where event is not null`,
  );
  expect(rows).toEqual([{ at: expect.any(Number), event: 'firing' }]);
  expect(rows[0]?.at).toBeGreaterThanOrEqual(60);
  expect(rows[0]?.at).toBeLessThan(70);
});

test('a metric without an interval is not watched for lasting changes', async () => {
  await addDays(
    'unbounded',
    Array.from({ length: 40 }, () => shareOf(180, 200)),
  );
  await alice.query(`select pgscore.set_alert('unbounded', 'kappa_drop', 'cohen_kappa')`);
  const { rows } = await alice.query(
    `select state, is_breach, count(*)::int as n from pgscore.preview_monitor('unbounded', 'kappa_drop') group by 1, 2 order by 3`,
  );
  expect(rows).toEqual([
    { state: 'insufficient_data', is_breach: false, n: 7 },
    { state: 'ok', is_breach: false, n: 33 },
  ]);
});
