import { expect, test } from '@jest/globals';

import { addMonitoredModel, addRun } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const mallory = await database.client('mallory');
await superuser.query(`set lock_timeout = '2s'`);

test('nobody who can take advisory locks holds up refreshes, alerts or the bins of a version', async () => {
  const model = await addMonitoredModel(superuser, 'held', 'binary');
  await superuser.query(
    `update pgscore_data.version set signature = jsonb_set(signature, '{features}', '[{"name": "x", "type": "float32", "width": 1}]') where version_id = $1`,
    [model.versionId],
  );
  await addRun(superuser, model, [{ id: 1, at: '2026-03-02 00:00+00', score: 0.7, label: 'yes' }]);
  await mallory.query('select pg_advisory_lock(7867316, n) from generate_series(1, 2) n');
  await mallory.query('select pg_advisory_lock(7867317, $1)', [model.versionId]);
  await superuser.query(`select pgscore_data._freeze_bins($1, '[{"feature": 1, "numbers": [1, 2]}]')`, [
    model.versionId,
  ]);
  await superuser.query('select pgscore_data._refresh()');
  const { rows } = await superuser.query(
    `select (select count(*)::int from pgscore_data.feature_bins) as bins, (select counted from pgscore_data.run) as counted`,
  );
  expect(rows).toEqual([{ bins: 1, counted: true }]);
});

test('one session at a time has a turn, until its transaction ends', async () => {
  const other = await database.client();
  const take = `select pgscore_data._take_turn('cells') as mine`;
  await superuser.query('begin');
  for (const client of [superuser, superuser]) expect((await client.query(take)).rows).toEqual([{ mine: true }]);
  expect((await other.query(take)).rows).toEqual([{ mine: false }]);
  await superuser.query('commit');
  expect((await other.query(take)).rows).toEqual([{ mine: true }]);
});

test('who deploys a version, and commits late, holds up no refresh', async () => {
  const ada = await database.client('ada');
  const model = await addMonitoredModel(superuser, 'deployed', 'binary');
  const run = await addRun(superuser, model, [{ id: 1, at: '2026-03-02 00:00+00', score: 0.7, label: 'yes' }]);
  await superuser.query('update pgscore_data.run set finished_at = clock_timestamp() where run_id = $1', [run]);
  await ada.query('begin');
  await ada.query(`select pgscore.deploy('deployed', 'bytes')`);
  await superuser.query('select pgscore_data._refresh()');
  const { rows } = await superuser.query('select counted from pgscore_data.run where run_id = $1', [run]);
  expect(rows).toEqual([{ counted: true }]);
  await ada.query('rollback');
});
