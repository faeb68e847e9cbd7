import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { stageFeatures, type StagedFeature } from './golden/staged-features.ts';

type Case = Omit<StagedFeature, 'windows'> & { window: number[] };
type Row = Record<string, number | string | null>;

const { cases } = JSON.parse(readFileSync(new URL('golden/drift.json', import.meta.url), 'utf8')) as { cases: Case[] };

const database = await cloneDatabase();
const superuser = await database.client();

/** The same rows, on one day and over three days of a week. */
const share = (part: number) => (count: number) => Math.floor((count + part) / 3);
await stageFeatures(
  superuser,
  'whole',
  cases.map((golden) => ({ ...golden, windows: { '2026-03-10 00:00+00': golden.window } })),
);
await stageFeatures(
  superuser,
  'spread',
  cases.map((golden) => ({
    ...golden,
    windows: {
      '2026-03-10 00:00+00': golden.window.map(share(0)),
      '2026-03-11 00:00+00': golden.window.map(share(1)),
      '2026-03-14 00:00+00': golden.window.map(share(2)),
    },
  })),
);
await superuser.query('select pgscore.refresh()');

async function shown(view: string, model: string): Promise<Row[]> {
  const all = `select * from pgscore_bi.${view} where model_name = $1 order by feature_name`;
  return (await superuser.query<Row>(all, [model])).rows;
}

function same(one: unknown, other: unknown): boolean {
  return typeof one === 'number' && typeof other === 'number'
    ? Math.abs(one - other) <= 1e-12 * Math.max(1, Math.abs(other))
    : one === other;
}

test.each([
  ['weekly', 'whole'],
  ['monthly', 'whole'],
  ['weekly', 'spread'],
  ['monthly', 'spread'],
])('drift of %s windows is that of the rows in them, %s', async (grain, model) => {
  const wanted = await shown('feature_drift_daily', 'whole');
  const found = await shown(`feature_drift_${grain}`, model);
  expect(found).toHaveLength(cases.length);
  const otherwise = ['model_name', 'window_date', 'window_start', 'window_end'];
  const wrong = found.flatMap((row, at) =>
    Object.entries(row)
      .filter(([column, value]) => !otherwise.includes(column) && !same(value, wanted[at]?.[column]))
      .map(([column, value]) => [row['feature_name'], column, value, wanted[at]?.[column]]),
  );
  expect(wrong).toEqual([]);
});

test('a window is of the monitor: from Monday, or the first of the month', async () => {
  const { rows } = await superuser.query(
    `select w.window_date::text as week, w.window_end::date::text as week_end, m.window_date::text as month, m.window_end::date::text as month_end
       from pgscore_bi.feature_drift_weekly w join pgscore_bi.feature_drift_monthly m using (model_name, feature_name) where model_name = 'spread' limit 1`,
  );
  expect(rows).toEqual([{ week: '2026-03-09', week_end: '2026-03-16', month: '2026-03-01', month_end: '2026-04-01' }]);
});

test('the bins of a week hold its rows, and add up to its index', async () => {
  const { rows } = await superuser.query<{ psi: number; parts: number; n: string; rows: string }>(
    `select d.psi, sum(x.psi_contribution) as parts, d.n, sum(x.n)::bigint as rows
       from pgscore_bi.feature_drift_weekly d join pgscore_bi.feature_distribution_weekly x using (model_name, model_version, window_date, feature_name)
      where d.model_name = 'spread' group by d.feature_name, d.psi, d.n`,
  );
  expect(rows).toHaveLength(cases.length);
  expect(rows.filter(({ psi, parts, n, rows: all }) => n !== all || !same(psi, parts))).toEqual([]);
});
