import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';

type Golden = Record<string, Record<string, number>>;
type Row = [stage: number, other: number, entity: number, score: number, truth: boolean | null];
type Fixture = {
  cases: { rows: Row[]; golden: Golden }[];
  always_valid: [z: number, n: number, width: number, level: number][];
  sample_ratios: { counts: number[]; shares: number[]; statistic: number; p_value: number }[];
};

const fixture = JSON.parse(
  readFileSync(new URL('../monitor/golden/experiment.json', import.meta.url), 'utf8'),
) as Fixture;

const database = await cloneDatabase();
const superuser = await database.client();

/** How far two numbers are apart, of large ones by their size. */
const apart = (a: number, b: number): number => Math.abs(a - b) / Math.max(1, Math.abs(b));

async function compare(rows: readonly Row[]): Promise<Golden> {
  const outcomes = rows.map(([stage, other, entity, score, truth]) => {
    const said = score >= 0.5;
    const p = truth === true ? score : 1 - score;
    return truth === null
      ? [stage + 1, other === 1, entity, null, null, null, score, null, null]
      : [stage + 1, other === 1, entity, said === truth, truth, said, null, (1 - p) ** 2, -Math.log(p)];
  });
  await superuser.query('truncate pgscore_data.compared_prediction');
  await superuser.query(
    `insert into pgscore_data.compared_prediction (segment_id, is_other, entity, day, is_hit, is_positive, said_positive, error, brier, log_loss)
     select (r ->> 0)::int, (r ->> 1)::boolean, (r ->> 2)::bigint, now(), (r ->> 3)::boolean, (r ->> 4)::boolean, (r ->> 5)::boolean,
            (r ->> 6)::float8, (r ->> 7)::float8, (r ->> 8)::float8
       from jsonb_array_elements($1::jsonb) r`,
    [JSON.stringify(outcomes)],
  );
  const compared = await superuser.query<Record<string, number | string>>(
    `select c.metric, c.n, c.other_n, c.entities, c.other_entities, c.difference, c.standard_error, c.pooled_error, c.n_effective,
            pgscore_data._chi2_p_value((c.difference / c.standard_error) ^ 2, 1) as p_value from pgscore_data._contrast_arms(true) c`,
  );
  return Object.fromEntries(
    compared.rows.map(({ metric, ...row }) => [
      metric,
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)])),
    ]),
  );
}

test.each(fixture.cases.map((one, index) => ({ ...one, index })))(
  'arms whose shares grow differ as statsmodels has it, clustered by entity: case $index',
  async ({ rows, golden }) => {
    const found = await compare(rows);
    expect(Object.keys(found).toSorted()).toEqual(Object.keys(golden).toSorted());
    for (const [metric, values] of Object.entries(golden)) {
      for (const [name, value] of Object.entries(values)) {
        const shown = found[metric]?.[name];
        expect([metric, name, shown, apart(shown ?? NaN, value) < 1e-12]).toEqual([metric, name, shown, true]);
      }
    }
  },
);

test('in one stage the difference is that of the means', async () => {
  const rows = fixture.cases[0]?.rows.map(([, ...row]) => [-1, ...row] as Row) ?? [];
  const { accuracy } = await compare(rows);
  const share = (of: number): number => {
    const hits = rows.filter(([, other]) => other === of).map(([, , , score, truth]) => score >= 0.5 === truth);
    return hits.filter(Boolean).length / hits.length;
  };
  expect(accuracy?.['difference']).toBeCloseTo(share(0) - share(1), 12);
});

test('an interval that holds at all times has the width of Waudby-Smith and others, and the p-value that belongs to it', async () => {
  const { rows } = await superuser.query<{ width: number; level: number; inside: number }>(
    `select pgscore_data._always_valid_width(n) as width, pgscore_data._always_valid_p_value(z, n) as level,
            pgscore_data._always_valid_p_value(pgscore_data._always_valid_width(n), n) as inside
       from jsonb_array_elements($1::jsonb) with ordinality as x (c, o)
      cross join lateral (select (c ->> 0)::float8 as z, (c ->> 1)::float8 as n) v order by o`,
    [JSON.stringify(fixture.always_valid)],
  );
  expect(rows).toHaveLength(fixture.always_valid.length);
  for (const [index, [, , width, level]] of fixture.always_valid.entries()) {
    expect(apart(rows[index]?.width ?? NaN, width)).toBeLessThan(1e-12);
    expect(apart(rows[index]?.level ?? NaN, level)).toBeLessThan(1e-12);
    expect(rows[index]?.inside).toBeCloseTo(0.05, 12);
  }
});

test('sample ratios are tested as scipy tests them', async () => {
  for (const { counts, shares, statistic, p_value } of fixture.sample_ratios) {
    const { rows } = await superuser.query<{ statistic: number; p_value: number }>(
      'select statistic, p_value from pgscore_data._sample_ratio($1, $2)',
      [counts, shares],
    );
    expect(apart(rows[0]?.statistic ?? NaN, statistic)).toBeLessThan(1e-12);
    expect(apart(rows[0]?.p_value ?? NaN, p_value)).toBeLessThan(1e-12);
  }
});

test('an arm that is surely better is named so, and not where entities are in the wrong arms, or few', async () => {
  const judge = async (...given: readonly unknown[]): Promise<unknown> => {
    const { rows } = await superuser.query<{ verdict: string; reason: string }>(
      'select * from pgscore_data._experiment_verdict($1, $2, $3, $4, $5, $6, $7)',
      [...given],
    );
    return rows[0];
  };
  expect(await judge('accuracy', 400, 3600, 0.0121, 0.031, 0.4, true)).toEqual({
    verdict: 'better',
    reason: 'accuracy is 0.0121 to 0.031 higher',
  });
  expect(await judge('brier_score', 400, 3600, 0.0121, 0.031, 0.4, true)).toMatchObject({ verdict: 'worse' });
  expect(await judge('log_loss', 400, 3600, -0.2, -0.1, null, true)).toEqual({
    verdict: 'better',
    reason: 'log_loss is 0.1 to 0.2 lower',
  });
  expect(await judge('accuracy', 400, 3600, -0.01, 0.02, 0.4, true)).toEqual({
    verdict: 'no_difference',
    reason: 'accuracy may be 0.01 lower to 0.02 higher',
  });
  expect(await judge('accuracy', 400, 3600, 0.01, 0.02, 0.0009, true)).toMatchObject({ verdict: 'sample_ratio' });
  expect(await judge('accuracy', 99, 3600, 0.01, 0.02, 0.4, true)).toMatchObject({ verdict: 'too_early' });
  expect(await judge('roc_auc', 400, 3600, 0.01, 0.02, 0.4, false)).toMatchObject({ verdict: 'too_early' });
});

test('of each metric that versions or arms are judged by it is known which values are better', async () => {
  const judged = `select distinct x.metric from (
      select metric from pgscore_data.compared_kind union all select metric from pgscore_data.experiment_metric) x
    where pgscore_data._lower_is_better(x.metric) order by 1`;
  expect((await superuser.query<{ metric: string }>(judged)).rows.map(({ metric }) => metric)).toEqual([
    'brier_score',
    'log_loss',
    'mae',
    'mse',
    'rmse',
  ]);
  for (const metric of ['coverage', 'novel'])
    expect(await refusal(superuser, 'select pgscore_data._lower_is_better($1)', [metric])).toMatchObject({
      code: '22023',
      message: `nothing says which values of metric '${metric}' are better`,
    });
});

test('bounds of a difference of shares lie between -1 and 1, those of other metrics anywhere', async () => {
  const text = `select pgscore_data._within_shares(m, -2.84) as low, pgscore_data._within_shares(m, 2.281) as high,
                       pgscore_data._within_shares(m, null) as none from unnest('{precision_score,log_loss}'::text[]) m`;
  expect((await superuser.query(text)).rows).toEqual([
    { low: -1, high: 1, none: null },
    { low: -2.84, high: 2.281, none: null },
  ]);
});
