import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { ERRORS, normal, seeded } from './intervals/draws.ts';
import * as formulas from './intervals/formulas.ts';
import { rank } from './intervals/ranking.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const random = seeded(20);

type Bounds = { low: number | null; high: number | null };

/** What a function of the database says of each case. */
async function ask(call: string, cases: readonly (readonly number[])[]): Promise<Bounds[]> {
  const places = cases[0]?.map((_, n) => `(c ->> ${n})::float8`).join(', ') ?? '';
  const text = `select i.* from jsonb_array_elements($1::jsonb) with ordinality as x (c, n) cross join lateral ${call}(${places}) i order by x.n`;
  return (await superuser.query<Bounds>(text, [JSON.stringify(cases)])).rows;
}

const near = (interval: formulas.Interval | null): { low: unknown; high: unknown } => ({
  low: interval && expect.closeTo(interval[0], 12),
  high: interval && expect.closeTo(interval[1], 11),
});

test('the simulation takes the intervals of shares that the database takes', async () => {
  const cases = [
    [0, 7, 7],
    [7, 7, 7],
    [1, 1000, 1000],
    [3, 12, 2.5],
    [1, 40, 8],
    [400, 1200, 271.25],
    [1199, 1200, 300],
  ] as const;
  const found = await ask('pgscore_data._share_interval', cases);
  expect(found).toEqual(cases.map(([hits, n, effective]) => near(formulas.shareInterval(hits, n, effective))));
  const none =
    'select i.* from pgscore_data._share_interval(0, 0, 0) i union all select i.* from pgscore_data._share_interval(0, null, null) i';
  expect((await superuser.query(none)).rows).toEqual([near(null), near(null)]);
});

test('the simulation takes the intervals of MAE and RMSE that the database takes', async () => {
  const cases = Object.values(ERRORS).flatMap(({ draw }) =>
    [1, 2, 3, 30, 500].map((n) => {
      const errors = Array.from({ length: n }, () => Math.abs(draw(random)));
      const sum = (power: number): number => errors.reduce((total, error) => total + error ** power, 0);
      return [n, sum(1), sum(2), sum(4), n === 500 ? 123.5 : n] as const;
    }),
  );
  cases.push([30, 0, 0, 0, 30]);
  const mae = await ask(
    'pgscore_data._mae_interval',
    cases.map(([n, absolute, squared, , effective]) => [n, absolute, squared, effective]),
  );
  expect(mae).toEqual(
    cases.map(([n, absolute, squared, , effective]) => near(formulas.maeInterval(n, absolute, squared, effective))),
  );
  const rmse = await ask(
    'pgscore_data._rmse_interval',
    cases.map(([n, , squared, fourth, effective]) => [n, squared, fourth, effective]),
  );
  // The upper bound of two errors is e^12 times the value.
  for (const [index, [n, , squared, fourth, effective]] of cases.entries()) {
    const expected = formulas.rmseInterval(n, squared, fourth, effective);
    const [low, high] = [rmse[index]?.low, rmse[index]?.high];
    expect([low === null, high === null]).toEqual([expected === null, expected === null]);
    if (expected === null) continue;
    expect(Number(low) / expected[0]).toBeCloseTo(1, 12);
    expect(Number(high) / expected[1]).toBeCloseTo(1, 11);
  }
});

test('the simulation takes the intervals of AUC that the database takes, also where the classes are apart', async () => {
  const cases = [0, 1, 2, 20].flatMap((shift) =>
    [
      [1, 5],
      [2, 2],
      [10, 20],
      [30, 200],
    ].map(([positives = 0, negatives = 0]) => {
      const scored = Array.from({ length: positives + negatives }, (_, n) => ({
        score: normal(random) + (n < positives ? shift : 0),
        positive: n < positives,
        m: 1,
      }));
      return rank(scored, (part) => (part === 200 ? 77.5 : part));
    }),
  );
  const found = await ask(
    'pgscore_data._auc_interval',
    cases.map((one) => [one.auc, one.positives, one.negatives, one.beatsVariance, one.losesVariance]),
  );
  const errors = cases.map((one) => formulas.aucError(one));
  expect(found).toEqual(
    cases.map((one, n) => ({
      ...near(formulas.aucInterval(one)),
      standard_error: errors[n] === null ? null : expect.closeTo(Number(errors[n]), 12),
    })),
  );
  for (const { low, high } of found) expect(low === null || Number(high) - low > 0.01).toBe(true);
});

test('the simulation takes as many pairs for independent as the database does', async () => {
  const cases = Array.from({ length: 40 }, (_, index) => {
    const entities = 10 + 20 * index;
    const p = [0.02, 0.3, 0.9][index % 3] ?? 0;
    const sums = { n: 0, hits: 0, m2: 0, cm: 0, c2: 0 };
    for (let entity = 0; entity < entities; entity += 1) {
      const m = index % 4 === 0 ? 1 : Math.ceil(6 * random());
      const c = random() < p ? m : Math.floor(random() * 2 * p);
      sums.n += m;
      sums.hits += c;
      sums.m2 += m ** 2;
      sums.cm += c * m;
      sums.c2 += c ** 2;
    }
    return sums;
  });
  const { rows } = await superuser.query<{ expression: string; part: string }>(
    `select pgscore_data._n_effective('x.n', 'x.hits', 'x.m2', 'x.cm', 'x.c2') as expression, pgscore_data._least_n_effective('(x.hits + 1)', '(x.m2 - x.n)') as part`,
  );
  const asked = `select ${rows[0]?.expression} as n, ${rows[0]?.part} as part from jsonb_to_recordset($1) as x (n float8, hits float8, m2 float8, cm float8, c2 float8)`;
  const found = await superuser.query<{ n: number; part: number }>(asked, [JSON.stringify(cases)]);
  expect(found.rows).toEqual(
    cases.map((one) => ({
      n: expect.closeTo(formulas.nEffective(one.n, one.hits, one), 9),
      part: expect.closeTo(formulas.leastNEffective(one.hits + 1, one.m2 - one.n), 9),
    })),
  );
});

test('one pair of each entity is worth itself, whatever its outcome', async () => {
  const { rows } = await superuser.query<{ expression: string; part: string }>(
    `select pgscore_data._n_effective('x.n', 'x.hits', 'x.n', 'x.hits', 'x.hits') as expression, pgscore_data._least_n_effective('x.hits', '0') as part`,
  );
  const asked = `select x.n, x.hits from (values (1, 0), (1, 1), (29, 14), (1000, 3), (1000, 500), (12345, 12345)) x (n, hits) where ${rows[0]?.expression} <> x.n or ${rows[0]?.part} <> x.hits`;
  expect((await superuser.query(asked)).rows).toEqual([]);
});

test("Student's t is that of scipy, as closely as it says", async () => {
  const { t } = JSON.parse(readFileSync(new URL('golden/t_quantiles.json', import.meta.url), 'utf8')) as {
    t: [degrees: number, quantile: number][];
  };
  const { rows } = await superuser.query<{ t: number }>(
    'select pgscore_data._student_t(d) as t from unnest($1::float8[]) with ordinality as x (d, n) order by n',
    [t.map(([degrees]) => degrees)],
  );
  const most = (degrees: number): number =>
    degrees < 3 ? 0.0075 : degrees < 5 ? 0.0013 : degrees < 9 ? 1.1e-4 : degrees < 29 ? 1e-5 : 2e-8;
  const wrong = t.filter(([degrees, quantile], n) => {
    expect(formulas.studentT(degrees)).toBeCloseTo(Number(rows[n]?.t), 12);
    return Math.abs(Number(rows[n]?.t) / quantile - 1) > most(degrees);
  });
  expect(wrong).toEqual([]);
});
