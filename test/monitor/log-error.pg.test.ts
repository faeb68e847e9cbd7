import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

async function shown(): Promise<unknown> {
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
  expect(await shown()).toEqual(half);
  await say(3, 1, -1);
  expect(await shown()).toEqual({ msle: null, told: 0 });
  await say(3, 1, null);
  expect(await shown()).toEqual(half);
  await superuser.query('update pgscore_data.cell_regression set n_log = n_log - 1');
  await say(4, 3, 3);
  expect(await shown()).toEqual({ msle: null, told: 0 });
  await superuser.query(`select pgscore.rebuild('sales')`);
  await superuser.query('select pgscore.refresh()');
  expect(await shown()).toEqual({ msle: expect.closeTo(1 / 3, 12), told: 1 });
});
