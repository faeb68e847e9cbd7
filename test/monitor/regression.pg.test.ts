import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

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

/** [prediction, truth]; scikit-learn's example of mean_pinball_loss: [1, 2, 3] against [0, 2, 5] is 0.3667 at 0.9. */
const PAIRS = [
  [0, 1],
  [2, 2],
  [5, 3],
] as const;

beforeAll(async () => {
  const model = await addMonitoredModel(superuser, 'arrival', 'regression');
  await addRun(
    superuser,
    model,
    PAIRS.map(([score], id) => ({ id, at: '2026-03-02 12:00+00', score })),
  );
  const label = `select pgscore.record_label('arrival', (n - 1)::text, y, '2026-03-02 13:00+00') from unnest($1::text[]) with ordinality as x (y, n)`;
  await superuser.query(label, [PAIRS.map(([, truth]) => String(truth))]);
  await superuser.query('select pgscore.refresh()');
});

async function shown(): Promise<unknown> {
  const read = `select pinball_loss, quantile from pgscore_bi.regression_performance_daily where model_name = 'arrival'`;
  return (await superuser.query(read)).rows[0];
}

async function tall(): Promise<unknown[]> {
  const read = `select grain, value from pgscore_bi.model_metric where model_name = 'arrival' and metric = 'pinball_loss' order by 1`;
  return (await superuser.query(read)).rows;
}

test('without a quantile there is no pinball loss, and no row about one', async () => {
  expect(await shown()).toEqual({ pinball_loss: null, quantile: null });
  expect(await tall()).toEqual([]);
});

test.each([
  [0.9, 0.9 * (1 / 3) + 0.1 * (2 / 3)],
  [0.5, 0.5],
  [0.1, 0.1 * (1 / 3) + 0.9 * (2 / 3)],
])('of the quantile %p the loss of all days is there at once', async (quantile, loss) => {
  await ada.query(`select pgscore.monitor('arrival', quantile => $1)`, [quantile]);
  expect(await shown()).toEqual({ pinball_loss: expect.closeTo(loss, 12), quantile });
  expect(await tall()).toEqual(['day', 'month', 'week'].map((grain) => ({ grain, value: expect.closeTo(loss, 12) })));
});

test('a quantile stays when something else is set, and goes when it is set to 0', async () => {
  await ada.query(`select pgscore.monitor('arrival', quantile => 0.9)`);
  await ada.query(`select pgscore.monitor('arrival', min_label_coverage => 0.5)`);
  expect(await shown()).toMatchObject({ quantile: 0.9 });
  await ada.query(`select pgscore.monitor('arrival', quantile => 0)`);
  expect(await shown()).toEqual({ pinball_loss: null, quantile: null });
});

test.each([1, -0.1, 90, Number.NaN])('%p is no quantile, and says so', async (quantile) => {
  await expect(ada.query(`select pgscore.monitor('arrival', quantile => $1)`, [quantile])).rejects.toMatchObject({
    code: '22023',
    message: `quantile => ${quantile} is not between 0 and 1`,
  });
});

test('a classifier predicts no quantile', async () => {
  await expect(ada.query(`select pgscore.monitor('churn', quantile => 0.9)`)).rejects.toMatchObject({
    code: '22023',
    message: 'model "churn" is no regression of one value, so its quantile cannot be set',
  });
  await ada.query(`select pgscore.monitor('churn', quantile => 0)`);
});

test('an alert can be about the pinball loss', async () => {
  await ada.query(`select pgscore.set_alert('arrival', 'loss', 'pinball_loss', threshold => 3)`);
  const read = `select direction from pgscore_data.alert_rule where name = 'loss'`;
  expect((await superuser.query(read)).rows).toEqual([{ direction: 'above' }]);
});

async function logError(): Promise<unknown> {
  const read = `select d.msle, (select count(*)::int from pgscore_bi.model_metric t where t.model_name = d.model_name and t.metric = 'msle' and t.grain = 'day') as told
    from pgscore_bi.regression_performance_daily d where d.model_name = 'sales'`;
  return (await superuser.query(read)).rows[0];
}

test('a mean of logarithmic errors is of all pairs or none: none where a truth is -1 or less, or was counted before logarithms were', async () => {
  const model = await addMonitoredModel(superuser, 'sales', 'regression');
  const say = async (id: number, score: number, truth: number | null): Promise<void> => {
    if (truth !== null) await addRun(superuser, model, [{ id, at: '2026-03-02 12:00+00', score }]);
    const label = `select pgscore.record_label('sales', $1, $2, '2026-03-02 13:00+00')`;
    await superuser.query(label, [String(id), truth]);
    await superuser.query('select pgscore.refresh()');
  };
  await say(1, Math.E - 1, 0);
  await say(2, 3, 3);
  const half = { msle: expect.closeTo(0.5, 12), told: 1 };
  expect(await logError()).toEqual(half);
  await say(3, 1, -1);
  expect(await logError()).toEqual({ msle: null, told: 0 });
  await say(3, 1, null);
  expect(await logError()).toEqual(half);
  await superuser.query('update pgscore_data.cell_regression set n_log = n_log - 1');
  await say(4, 3, 3);
  expect(await logError()).toEqual({ msle: null, told: 0 });
  await superuser.query(`select pgscore.rebuild('sales')`);
  await superuser.query('select pgscore.refresh()');
  expect(await logError()).toEqual({ msle: expect.closeTo(1 / 3, 12), told: 1 });
});
