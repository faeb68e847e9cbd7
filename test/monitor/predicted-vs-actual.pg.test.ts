import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

type Cell = {
  predicted_low: number | null;
  predicted_high: number | null;
  actual_low: number | null;
  actual_high: number | null;
};

async function cells(model: string): Promise<(Cell & { n: number; n_sampled: number; last_date: string })[]> {
  const read = `select predicted_low, predicted_high, actual_low, actual_high, n::int, n_sampled::int, last_date::text
    from pgscore_bi.predicted_vs_actual where model_name = $1 order by 1 nulls first, 3 nulls first`;
  return (await superuser.query(read, [model])).rows as never;
}

/** A regression that said and met these, a pair a row. */
async function staged(name: string, pairs: readonly (readonly [said: number, actual: number])[], at = '2026-03-02') {
  const model = await addMonitoredModel(superuser, name, 'regression');
  await addRun(
    superuser,
    model,
    pairs.map(([score], id) => ({ id, at: `${at} 12:00+00`, score })),
  );
  const label = `select pgscore.record_label($1, (n - 1)::text, y, $3::timestamptz + interval '1 day') from unnest($2::text[]) with ordinality as x (y, n)`;
  await superuser.query(label, [name, pairs.map(([, actual]) => String(actual)), at]);
  await superuser.query('select pgscore.refresh()');
  return model;
}

function holds(low: number | null, high: number | null, value: number): boolean {
  return (low === null || value >= low) && (high === null || value <= high);
}

test('every pair is in the cell of what was said and what came, and cells are as wide as high', async () => {
  const pairs = Array.from({ length: 500 }, (_, id) => [(id * 37) % 100, ((id * 37) % 100) + (id % 7)] as const);
  await staged('fitted', pairs);
  const found = await cells('fitted');
  expect(found.reduce((sum, { n }) => sum + n, 0)).toBe(500);
  const own = found.map((cell) => {
    const inside = pairs.filter(
      ([said, actual]) =>
        holds(cell.predicted_low, cell.predicted_high, said) && holds(cell.actual_low, cell.actual_high, actual),
    );
    return inside.length >= cell.n && cell.n_sampled === 500 && cell.last_date === '2026-03-02';
  });
  expect(own).not.toContain(false);
  const widths = found.flatMap((cell) => [
    (cell.predicted_high ?? Number.NaN) - (cell.predicted_low ?? Number.NaN),
    (cell.actual_high ?? Number.NaN) - (cell.actual_low ?? Number.NaN),
  ]);
  const closed = widths.filter((width) => !Number.isNaN(width));
  expect(Math.max(...closed) - Math.min(...closed)).toBeLessThan(1e-9);
});

test('a value far away makes no other cell wider', async () => {
  const pairs = Array.from({ length: 300 }, (_, id) => [id % 50, id === 7 ? 1e9 : id % 50] as const);
  await staged('with_outlier', pairs);
  const found = await cells('with_outlier');
  expect(found.find(({ actual_high: high }) => high === null)).toMatchObject({ n: 1 });
  expect(Math.max(...found.map(({ predicted_high: high }) => high ?? 0))).toBeLessThan(60);
});

test('where all values are the same there is one cell', async () => {
  await staged('constant', [
    [3, 3],
    [3, 3],
  ]);
  expect(await cells('constant')).toMatchObject([{ predicted_low: 3, predicted_high: 3, n: 2 }]);
});

test('it is of the newest 5,000, found by an index', async () => {
  const model = await staged('busy', [[1, 1]], '2026-03-01');
  await superuser.query(
    `insert into pgscore_data.evaluation (model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual, score, label)
     select $1, array[n::text], $2, n, d, d, d, 0, n, n, n from generate_series(1, 20000) n cross join lateral (select timestamptz '2026-03-02 00:00+00' + n / 4000 * interval '1 day' as d) x`,
    [model.modelId, model.versionId],
  );
  await superuser.query('analyze pgscore_data.evaluation');
  const [first] = await cells('busy');
  expect(first).toMatchObject({ n_sampled: 5000, last_date: '2026-03-07' });
  const explain = `explain (analyze, format json) select * from pgscore_bi.predicted_vs_actual where model_name = 'busy'`;
  const { rows } = await superuser.query<{ 'QUERY PLAN': unknown }>(explain);
  expect(JSON.stringify(rows)).toMatch(/evaluation_recent_version_id_event_time_idx/);
});

test('a classifier has none', async () => {
  await addMonitoredModel(superuser, 'churn', 'binary');
  expect(await cells('churn')).toEqual([]);
});

test('errors are counted to both sides, each in its bin, and what is far off by itself', async () => {
  const pairs = Array.from({ length: 400 }, (_, id) => [id % 41, id === 7 ? 1e9 : id % 41 === 0 ? 9 : 20] as const);
  await staged('erring', pairs);
  const read = `select error_low, error_high, n::int, n_sampled::int, share from pgscore_bi.error_distribution where model_name = $1 order by 1 nulls first`;
  type Bin = { error_low: number | null; error_high: number | null; n: number; n_sampled: number; share: number };
  const { rows } = await superuser.query<Bin>(read, ['erring']);
  expect(rows.reduce((sum, { n }) => sum + n, 0)).toBe(400);
  const errors = pairs.map(([said, actual]) => said - actual);
  const right = rows.map(({ error_low: low, error_high: high, n, n_sampled: all, share }) => {
    const inside = errors.filter((error) => holds(low, high, error)).length;
    const within = errors.filter((error) => holds(low, high, error) && error !== low && error !== high).length;
    return within <= n && n <= inside && all === 400 && share === n / 400;
  });
  expect(right).not.toContain(false);
  expect(rows[0]).toMatchObject({ error_low: null, n: 1 });
  expect((await superuser.query(read, ['churn'])).rows).toEqual([]);
});
