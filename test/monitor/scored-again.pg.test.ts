import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

test('rows that are scored again count again, and a label judges the last prediction, or all where it is told to', async () => {
  const model = await addMonitoredModel(superuser, 'nightly', 'binary');
  const rows = [1, 2, 3, 4].map((id) => ({ id, at: '2026-03-02 12:00+00', score: 0.75, label: 'yes' }));
  await addRun(superuser, model, rows);
  await addRun(
    superuser,
    model,
    rows.map((row) => ({ ...row, score: 0.25, label: 'no' })),
  );
  const label = `select pgscore.record_label('nightly', n::text, 'yes', '2026-03-03 12:00+00') from generate_series(1, 4) n`;
  await superuser.query(label);
  await superuser.query('select pgscore.refresh()');
  const read = `select n_predictions::int, n_labeled::int, is_mature, accuracy, (select n::int from pgscore_bi.estimated_performance_daily) as estimated
    from pgscore_bi.binary_performance_daily where model_name = 'nightly'`;
  expect((await superuser.query(read)).rows).toEqual([
    { n_predictions: 8, n_labeled: 4, is_mature: false, accuracy: 0, estimated: 8 },
  ]);
  await ada.query(`select pgscore.monitor('nightly', pairing => 'all')`);
  await superuser.query('select pgscore.refresh()');
  expect((await superuser.query(read)).rows).toEqual([
    { n_predictions: 8, n_labeled: 8, is_mature: true, accuracy: 0.5, estimated: 8 },
  ]);
});
