import { expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { addTallies } from './add-tallies.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const model = await addMonitoredModel(superuser, 'model', 'binary');
const PREDICTION = { id: 1, at: '2026-03-01T12:00:00Z', score: 0.5, label: 'yes' };

test('counts of an attempt that came to nothing go, those of the one that is done stay', async () => {
  const runId = await addRun(superuser, model, [PREDICTION]);
  await superuser.query('update pgscore_data.run set attempt = 2 where run_id = $1', [runId]);
  await addTallies(superuser, { runId, attempt: 2 }, model.versionId, [PREDICTION]);
  await superuser.query('select pgscore_data._forget_monitoring()');
  const { rows } = await superuser.query('select attempt from pgscore_data.day_tally where run_id = $1', [runId]);
  expect(rows).toEqual([{ attempt: 2 }]);
});
