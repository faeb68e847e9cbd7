import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);
await superuser.query(`set lock_timeout = '2s'`);

const ask = `insert into pgscore._baseline_request (model, action, settings) values ($1, $2, $3) returning outcome`;
const SAMPLES = JSON.stringify([{ feature: 1, numbers: [0.1, 2, 3] }]);

async function addModel(name: string): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  await superuser.query(
    `update pgscore_data.version set signature = jsonb_set(signature, '{features}', '[{"name": "x", "type": "float32", "width": 1}]') where version_id = $1`,
    [model.versionId],
  );
  await superuser.query(`insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)`, [
    model.modelId,
    model.versionId,
  ]);
  return model;
}

test('who counts a table for long holds up neither refreshes nor the runs of its model, and is told where these were first', async () => {
  const { versionId } = await addModel('counted');
  await ada.query('begin');
  await ada.query('set local extra_float_digits = -10');
  for (const action of ['plan', 'propose']) {
    const { rows } = await ada.query<{ outcome: unknown }>(ask, ['counted', action, SAMPLES]);
    if (action === 'propose') expect(rows[0]?.outcome).toMatchObject([{ low: 0.1, high: 3, edges: '{2,3}' }]);
  }
  expect((await superuser.query(`select pgscore_data._take_turn('cells') as mine`)).rows).toEqual([{ mine: true }]);
  await superuser.query('select pgscore_data._freeze_bins($1, $2)', [versionId, SAMPLES]);
  const counts = {
    counts: [{ feature: 1, slot: 3, n: 5, measured: 5, sum: 1 }],
    samples: JSON.parse(SAMPLES) as unknown,
  };
  await expect(ada.query(ask, ['counted', 'count', JSON.stringify(counts)])).rejects.toMatchObject({ code: '40001' });
  await ada.query('rollback');
});

test.each([
  ['negative', { n: -5, measured: 0, sum: 0 }],
  ['too many', { n: 9e18, measured: 0, sum: 0 }],
  ['NULL', { n: null, measured: 0, sum: 0 }],
  ['of a sum that is no number', { n: 5, measured: 5, sum: 'NaN' }],
])('counts that are %s are refused', async (what, count) => {
  const name = `refused_${what.replaceAll(' ', '_')}`.toLowerCase();
  await addModel(name);
  const counts = JSON.stringify({
    counts: [{ feature: 1, slot: 3, ...count }],
    samples: JSON.parse(SAMPLES) as unknown,
  });
  await expect(ada.query(ask, [name, 'count', counts])).rejects.toMatchObject({ code: '22023' });
});
