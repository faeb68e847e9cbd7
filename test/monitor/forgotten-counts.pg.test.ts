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
  await superuser.query('select pgscore_data._delete_monitoring()');
  const { rows } = await superuser.query('select attempt from pgscore_data.day_tally where run_id = $1', [runId]);
  expect(rows).toEqual([{ attempt: 2 }]);
});

test('features of a version that is gone go, those of others stay', async () => {
  const [gone, other] = await Promise.all(
    ['gone', 'other'].map((name) => addMonitoredModel(superuser, name, 'binary')),
  );
  for (const version of [gone, other]) {
    const runId = await addRun(superuser, version!, [PREDICTION]);
    await superuser.query(
      `insert into pgscore_data.feature_sample (run_id, attempt, shard, version_id, feature, days, texts) values ($1, 1, 0, $2, 1, '{2026-03-01}', '{secret}')`,
      [runId, version!.versionId],
    );
  }
  await superuser.query(`update pgscore_data.version set state = 'dropped' where version_id = $1`, [gone!.versionId]);
  // What was called just before is kept just after.
  await superuser.query(
    `insert into pgscore_data.feature_sample select run_id, attempt, shard, $1, feature, days, numbers, texts from pgscore_data.feature_sample where version_id = $2`,
    [gone!.versionId, other!.versionId],
  );
  await superuser.query('select pgscore_data._delete_monitoring()');
  const { rows } = await superuser.query('select distinct version_id from pgscore_data.feature_sample');
  expect(rows).toEqual([{ version_id: other!.versionId }]);
});

test('counts of an arm go whose run came to nothing, those of a run that is open stay', async () => {
  const open = await addRun(superuser, model, [PREDICTION]);
  await superuser.query(`update pgscore_data.run set state = 'running', arms = $2 where run_id = $1`, [
    open,
    { runs: [900_001] },
  ]);
  for (const runId of [900_001, 900_002]) {
    await addTallies(superuser, { runId: String(runId), attempt: 1 }, model.versionId, [PREDICTION]);
  }
  await superuser.query('select pgscore_data._delete_monitoring()');
  const { rows } = await superuser.query(
    'select distinct run_id::int from pgscore_data.day_tally where run_id > 900000',
  );
  expect(rows).toEqual([{ run_id: 900_001 }]);
});
