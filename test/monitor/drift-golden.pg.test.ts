import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { type StagedFeature, stageFeatures, unitBins } from './golden/staged-features.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const DAY = '2026-03-09 00:00+00';

type Case = Omit<StagedFeature, 'windows'> & { window: number[]; values: Record<string, number | null> };
type Row = Record<string, number | string | null>;
type Assay = {
  name: string;
  baseline_counts: number[];
  window_counts: number[];
  psi?: number;
  psi_2dp?: number;
  psi_bins?: number[];
  sumdiff?: number;
  maxdiff?: number;
};

function read<Content>(file: string): Content {
  return JSON.parse(readFileSync(new URL(`golden/${file}`, import.meta.url), 'utf8')) as Content;
}

const { cases } = read<{ cases: Case[] }>('drift.json');
const tails = read<{ chi2: [x: number, degrees: number, p: number][]; kolmogorov: [x: number, p: number][] }>(
  'p_values.json',
);
const { cases: assays } = read<{ cases: Assay[] }>('wallaroo.json');

await stageFeatures(
  superuser,
  'scipy',
  cases.map((golden) => ({ ...golden, windows: { [DAY]: golden.window } })),
);
await stageFeatures(
  superuser,
  'wallaroo',
  assays.map(({ name, baseline_counts: baseline, window_counts: window }) => ({
    name,
    kind: 'number',
    ...unitBins(baseline.length - 2),
    baseline: [0, ...baseline],
    windows: { [DAY]: [0, ...window] },
  })),
);
await superuser.query(`select pgscore.monitor_features('wallaroo', psi_floor => 0.005)`);
/** The same rows over three days of a week. */
const share = (part: number) => (count: number) => Math.floor((count + part) / 3);
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
/** What was the baseline is the window before; the baseline itself is of something else. */
await stageFeatures(
  superuser,
  'steps',
  cases.map((golden) => ({
    ...golden,
    baseline: golden.baseline.map((_, slot) => slot),
    windows: { '2026-02-10 00:00+00': golden.baseline, '2026-03-10 00:00+00': golden.window },
  })),
);
await superuser.query('select pgscore.refresh()');

async function shown(model: string, feature: string): Promise<Record<string, number | string | null>> {
  const one = 'select * from pgscore_bi.feature_drift_daily where model_name = $1 and feature_name = $2';
  const { rows } = await superuser.query<Record<string, number | string | null>>(one, [model, feature]);
  expect(rows).toHaveLength(1);
  return rows[0] ?? {};
}

function apart(found: unknown, wanted: number | null): number {
  if (found === null || wanted === null) return found === wanted ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(Number(found) - wanted) / Math.max(Math.abs(wanted), 1e-3);
}

test.each(cases)('the distances of $name are those of scipy', async ({ name, values }) => {
  const row = await shown('scipy', name);
  const wrong = Object.entries(values).filter(([metric, wanted]) => apart(row[metric], wanted) > 1e-12);
  expect(wrong.map(([metric, wanted]) => [metric, row[metric], wanted])).toEqual([]);
});

test.each(cases)('what $name has no value for has a reason, unless it is a category', async ({ name, kind }) => {
  const row = await shown('scipy', name);
  const numeric = ['ks_statistic', 'wasserstein_normed'];
  const always = ['psi', 'psi_noise_limit', 'js_distance_base2', 'tv_distance', 'chi2_statistic', 'cramers_v'];
  const missing = [...always, ...(kind === 'number' ? numeric : [])].filter((metric) => row[metric] === null);
  expect([missing.length > 0, row['undefined_reason']]).toEqual([
    row['undefined_reason'] !== null,
    missing.length > 0 ? 'no_values' : null,
  ]);
});

test('p-values are those of scipy from the middle to the tails', async () => {
  const { rows } = await superuser.query<{ chi2: number[]; kolmogorov: number[] }>(
    `select array(select pgscore_data._chi2_p_value(x, d) from unnest($1::float8[], $2::bigint[]) u (x, d)) as chi2,
            array(select pgscore_data._ks_p_value(x, 2, 2) from unnest($3::float8[]) x) as kolmogorov`,
    [tails.chi2.map(([x]) => x), tails.chi2.map(([, degrees]) => degrees), tails.kolmogorov.map(([x]) => x)],
  );
  const [found] = rows;
  const off = (wanted: number | undefined, value: number | undefined) =>
    Math.abs(Number(value) - Number(wanted)) / Math.max(Number(wanted), 1e-290);
  expect(tails.chi2.filter(([, , p], at) => off(p, found?.chi2[at]) > 1e-12)).toEqual([]);
  expect(tails.kolmogorov.filter(([, p], at) => off(p, found?.kolmogorov[at]) > 1e-12)).toEqual([]);
});

test.each(assays)('the index of $name is the one that Wallaroo printed', async (assay) => {
  const row = await shown('wallaroo', assay.name);
  if (assay.psi !== undefined) expect(Math.abs(Number(row['psi']) - assay.psi)).toBeLessThan(1e-14);
  if (assay.psi_2dp !== undefined) expect(Number(row['psi']).toFixed(2)).toBe(assay.psi_2dp.toFixed(2));
  if (assay.sumdiff !== undefined) expect(Math.abs(Number(row['tv_distance']) - assay.sumdiff)).toBeLessThan(1e-14);
  if (assay.maxdiff !== undefined)
    expect(Math.abs(Number(row['l_infinity_distance']) - assay.maxdiff)).toBeLessThan(1e-14);
  expect(row['psi_floor']).toBe(0.005);
});

test('the bins of a feature add up to its index, and to its rows', async () => {
  const { rows } = await superuser.query<{ feature: string; psi: number; parts: number; n: string; rows: string }>(
    `select d.feature_name as feature, d.psi, sum(x.psi_contribution) as parts, d.n, sum(x.n)::bigint as rows
       from pgscore_bi.feature_drift_daily d
       join pgscore_bi.feature_distribution_daily x using (model_name, model_version, window_date, feature_name)
      where d.model_name in ('scipy', 'wallaroo') group by d.model_name, d.feature_name, d.psi, d.n`,
  );
  expect(rows).toHaveLength(cases.length + assays.length);
  expect(rows.filter(({ psi, parts }) => Math.abs(psi - parts) > 1e-12)).toEqual([]);
  expect(rows.filter((row) => row.n !== row.rows)).toEqual([]);
});

test('each bin says what it adds to the index, as Wallaroo does', async () => {
  const assay = assays.find(({ psi_bins: bins }) => bins !== undefined);
  const { rows } = await superuser.query<{ part: number }>(
    `select psi_contribution as part from pgscore_bi.feature_distribution_daily
      where model_name = 'wallaroo' and feature_name = $1 and bin between 2 and 11 order by bin`,
    [assay?.name],
  );
  const wanted = (assay?.psi_bins ?? []).slice(1, -1);
  expect(rows.filter(({ part }, at) => Math.abs(part - (wanted[at] ?? Number.NaN)) > 1e-14)).toEqual([]);
  expect(rows).toHaveLength(wanted.length);
});

async function rowsOf(view: string, model: string): Promise<Row[]> {
  const all = `select * from pgscore_bi.${view} where model_name = $1 order by feature_name`;
  return (await superuser.query<Row>(all, [model])).rows;
}

function same(one: unknown, other: unknown): boolean {
  return typeof one === 'number' && typeof other === 'number'
    ? Math.abs(one - other) <= 1e-12 * Math.max(1, Math.abs(other))
    : one === other;
}

test.each([
  ['weekly', 'scipy'],
  ['monthly', 'scipy'],
  ['weekly', 'spread'],
  ['monthly', 'spread'],
])('drift of %s windows is that of the rows in them, %s', async (grain, model) => {
  const wanted = await rowsOf('feature_drift_daily', 'scipy');
  const found = await rowsOf(`feature_drift_${grain}`, model);
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

async function changes(grain: string): Promise<Row[]> {
  const all = `select * from pgscore_bi.feature_change_${grain} where model_name = 'steps' order by window_date, feature_name`;
  return (await superuser.query<Row>(all)).rows;
}

test.each(['daily', 'weekly', 'monthly'])(
  '%s changes are the distances of scipy from the window before',
  async (grain) => {
    const rows = (await changes(grain)).slice(cases.length);
    const wrong = rows.flatMap((row) => {
      const values = cases.find(({ name }) => name === row['feature_name'])?.values ?? {};
      return Object.entries(values)
        .filter(([metric, wanted]) => metric in row && apart(row[metric], wanted) > 1e-12)
        .map(([metric, wanted]) => [row['feature_name'], metric, row[metric], wanted]);
    });
    expect(wrong).toEqual([]);
    expect(rows).toHaveLength(cases.length);
    expect(new Set(rows.map(({ comparison }) => comparison))).toEqual(new Set(['CONSECUTIVE']));
  },
);

test('the first window has nothing before it, and says so', async () => {
  const first = (await changes('daily')).slice(0, cases.length);
  expect(new Set(first.map(({ psi, status, undefined_reason: reason }) => [psi, status, reason].join(' ')))).toEqual(
    new Set([' insufficient_data no_window_before']),
  );
});
