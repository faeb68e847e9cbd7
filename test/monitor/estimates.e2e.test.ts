import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { DataType, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { deployBytes } from '../support/deploy.ts';
import { goldenBytes, goldenModel, goldenRows } from '../support/golden-models.ts';
import { loadRows } from '../support/load-rows.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

/** A classifier whose score is the logistic function of x. */
const logistic = onnxModel({
  metadata: { 'pgscore.features': '["x"]' },
  inputs: [tensorValue('x', [null, 1], DataType.DOUBLE)],
  outputs: [tensorValue('y', [null, 1], DataType.DOUBLE)],
  nodes: [node('Sigmoid', ['x'], ['y'])],
});

/** The rows of a view about the model, once they are as expected. */
async function expectRows(read: string, expected: object[]): Promise<void> {
  let seen: unknown[] = [];
  const asExpected = async (): Promise<boolean> => {
    seen = (await superuser.query(read)).rows;
    return JSON.stringify(seen) === JSON.stringify(expected);
  };
  await waitFor(asExpected, { message: 'what a view says' }).catch(() => expect(seen).toEqual(expected));
}

test('the service estimates the days that it scores, learns from labels what scores mean, and compares versions', async () => {
  // Half of the scores are 0.75, the others lie in the bin of the threshold, on both sides of it.
  const options = { task: 'binary', class_labels: ['no', 'yes'], threshold: 0.3714 };
  for (const _ of [1, 2]) await deployBytes(ada, 'risk', logistic, options);
  const tables = `create table risk_source as
      select n as id, ln(p / (1 - p)) as x, timestamptz '2026-01-01 10:00+00' + n / 400 * interval '1 day' as at
        from generate_series(0, 799) n cross join lateral (select case when n % 2 = 0 then 0.75 when n % 4 = 1 then 0.3711 else 0.3717 end::float8) s (p);
    alter table risk_source add primary key (id);
    create table risk_truth as select id, case when id % 16 in (0, 1, 2, 3, 4, 6) then 'yes' else 'no' end as y from risk_source where id < 400;
    alter table risk_truth add primary key (id)`;
  await alice.query(tables);
  for (const version of ['risk@1', 'risk@2']) {
    expect(await scoreTable(alice, version, 'risk_source', { event_time: 'at' })).toMatchObject({ state: 'done' });
  }
  const cells = `select bin > 800 as sure, sum(n)::int as n, sum(n_positive)::int as positive from pgscore_data.cell_score where version_id = (select min(version_id) from pgscore_data.version) group by 1 order by 1`;
  await expectRows(cells, [
    { sure: false, n: 400, positive: 200 },
    { sure: true, n: 400, positive: 400 },
  ]);
  await alice.query(`select pgscore.set_labels('risk', 'risk_truth', label => 'y')`);
  const estimates = `select model_version::int as version, window_date::text as day, calibration, estimated_accuracy as accuracy, realized_accuracy as realized
    from pgscore_bi.estimated_performance_daily where model_name = 'risk' and model_version = 1 order by 1, 2`;
  await expectRows(estimates, [
    { version: 1, day: '2026-01-01', calibration: 'isotonic', accuracy: 0.5, realized: 0.5 },
    { version: 1, day: '2026-01-02', calibration: 'isotonic', accuracy: 0.5, realized: null },
  ]);
  const comparison = `select compared_with, other_version::int as other, verdict, n_a::int as n from pgscore_bi.version_comparison where model_name = 'risk' and model_version = 2 and metric = 'accuracy' order by 1`;
  await expectRows(comparison, [
    { compared_with: 'champion', other: 1, verdict: 'no_difference', n: 400 },
    { compared_with: 'predecessor', other: 1, verdict: 'no_difference', n: 400 },
  ]);
});

const iris = goldenModel('iris_multiclass');
const rows = goldenRows(iris);

type Shown = { day: string; n: number; calibration: string; estimated: number; f1: number; realized: number | null };

async function shown(): Promise<Shown[]> {
  const read = `select window_date::text as day, n::int, calibration, estimated_accuracy as estimated, estimated_f1_score as f1, realized_accuracy as realized
    from pgscore_bi.estimated_performance_daily where model_name = 'iris' order by 1`;
  return (await superuser.query<Shown>(read)).rows;
}

async function bothDays(are: (day: Shown) => boolean, message: string): Promise<Shown[]> {
  let seen: Shown[] = [];
  const asWanted = async (): Promise<boolean> => {
    seen = await shown();
    return seen.length === 2 && seen.every(are);
  };
  await waitFor(asWanted, { message });
  return seen;
}

test('what a model of three classes will be right about is estimated from its probabilities, and from labels what these mean', async () => {
  await deployBytes(ada, 'iris', goldenBytes(iris));
  await loadRows(alice, 'irises', [{ name: 'iris_id', type: 'int' }, ...iris.features], rows);
  // Two days of two readings of each flower.
  const readings = `create table readings as
      select i.iris_id * 4 + n as id, timestamptz '2026-01-01 12:00+00' + n / 2 * interval '1 day' as at, i.* from irises i cross join generate_series(0, 3) n;
    alter table readings add primary key (id)`;
  await alice.query(readings);
  const run = await scoreTable(alice, 'iris', 'readings', { event_time: 'at', target: 'iris_scores' });
  expect(run).toMatchObject({ state: 'done', rows_done: String(rows.length * 4) });
  const claimed = rows.reduce((sum, row) => sum + Number(row['expected_score']), 0) / rows.length;
  const before = await bothDays(({ n }) => n > 0, 'the estimates of both days');
  expect(before).toMatchObject(
    ['2026-01-01', '2026-01-02'].map((day) => ({ day, n: 2 * rows.length, calibration: 'too_few_labels' })),
  );
  for (const { estimated } of before) expect(Math.abs(estimated - claimed)).toBeLessThan(0.002);

  // Of each class as predicted, every third turns out to be the next one.
  const truth = `create table truth as
      select s.id, case when row_number() over (partition by s.label order by s.id) % 3 > 0 then s.label
                        else case s.label when 'setosa' then 'versicolor' when 'versicolor' then 'virginica' else 'setosa' end end as species
        from iris_scores s join readings r using (id) where r.at < '2026-01-02';
    alter table truth add primary key (id)`;
  await alice.query(truth);
  await alice.query(`select pgscore.set_labels('iris', 'truth', label => 'species')`);
  const learned = ({ calibration, estimated }: Shown): boolean =>
    calibration === 'isotonic' && estimated < claimed - 0.1;
  const [first, second] = await bothDays(learned, 'both days to be estimated anew, by what labels say');
  expect(first?.realized).toBeCloseTo(2 / 3, 2);
  expect(second?.realized).toBeNull();
  for (const day of [first, second]) {
    expect(Math.abs((day?.estimated ?? 0) - 2 / 3)).toBeLessThan(0.02);
    expect(Math.abs((day?.f1 ?? 0) - 2 / 3)).toBeLessThan(0.02);
  }
});
