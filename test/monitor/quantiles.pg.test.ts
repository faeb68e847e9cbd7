import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

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
  await addMonitoredModel(superuser, 'churn', 'binary');
  await expect(ada.query(`select pgscore.monitor('churn', quantile => 0.9)`)).rejects.toMatchObject({
    code: '22023',
    message: 'model "churn" is a classifier, and predicts no quantile',
  });
});

test('an alert can be about the pinball loss', async () => {
  await ada.query(`select pgscore.set_alert('arrival', 'loss', 'pinball_loss', threshold => 3)`);
  const read = `select direction from pgscore_data.alert_rule where name = 'loss'`;
  expect((await superuser.query(read)).rows).toEqual([{ direction: 'above' }]);
});
