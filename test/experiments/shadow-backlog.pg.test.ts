import { expect, test } from '@jest/globals';

import { addMonitoredModel, addVersion, type MonitoredModel } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { shadowState, startShadow } from './shadowed-calls.ts';

const database = await cloneDatabase();
const [superuser, ada, service] = await Promise.all([database.client(), database.client('ada'), database.client()]);
await service.query('set role pgscore_service');

type Shaded = { readonly champion: MonitoredModel; readonly shadow: MonitoredModel };

async function shade(model: string): Promise<Shaded> {
  const champion = await addMonitoredModel(superuser, model, 'binary');
  const shadow = await addVersion(superuser, champion, 2);
  await superuser.query('select pgscore_data._set_alias($1, $2)', [champion.versionId, 'champion']);
  return { champion, shadow };
}

/** Keeps calls of a version as a gateway does: a batch, and a block of it. */
async function keep({ versionId }: MonitoredModel, batchId: number, predictions: number): Promise<void> {
  await service.query('begin');
  await service.query(
    `insert into pgscore_data.online_batch (batch_id, version_id, n_predictions, n_failed, snapshot_at, first_id)
     select $1, $2, $3, 0, now(), s.last_value from pgscore_data.online_prediction_id s`,
    [batchId, versionId, predictions],
  );
  await service.query(
    `insert into pgscore_data.online_block (n_predictions, version_id, requested_by, asked_at, duration_ms, scores)
     values (1, $1, 'alice', now(), 1, '{0.5}')`,
    [versionId],
  );
  await service.query(
    `update pgscore_data.online_batch set last_id = currval('pgscore_data.online_prediction_id') where batch_id = $1`,
    [batchId],
  );
  await service.query('commit');
}

type Claim = { experiment_id: number; version_id: number; batches: string[] };

async function claim(): Promise<Claim | undefined> {
  return (await service.query<Claim>(`select * from pgscore_data._claim_shadow('1 minute')`)).rows[0];
}

const finish = 'select pgscore_data._finish_shadow($1, $2, $3, 1, 0, 0, null)';

test('what waits past the backlog is skipped and counted; what waits longest stays', async () => {
  const { champion } = await shade('busy');
  await startShadow(ada, 'busy');
  for (const [batch, predictions] of [60_000, 30_000, 20_000, 5].entries())
    await keep(champion, -1 - batch, predictions);
  expect(await shadowState(ada, 'busy')).toMatchObject({ waiting: 110_005, skipped: 0 });
  await service.query('select pgscore_data._skip_past_backlog()');
  const due = await service.query('select * from pgscore_data._shadows_due()');
  expect(due.rows).toEqual([{ has_shadows: true, is_due: true }]);
  expect(await shadowState(ada, 'busy')).toEqual({
    scored: 0,
    waiting: 90_000,
    failed: 0,
    skipped: 20_005,
    error: 'busy@2: more than 100000 predictions were waiting: newer calls are skipped',
  });
  await ada.query(`select pgscore.stop_experiment('busy')`);
  await superuser.query('truncate pgscore_data.shadow_batch');
});

test('calls are leased to one service, which finishes them once', async () => {
  const { champion, shadow } = await shade('leased');
  await startShadow(ada, 'leased');
  await keep(champion, -11, 1);
  const claimed = await claim();
  expect(claimed).toMatchObject({ version_id: shadow.versionId, batches: ['-11'] });
  expect(await claim()).toBeUndefined();
  const { experiment_id: experiment, version_id: version, batches } = claimed!;
  // Another transaction wrote between the first and the last of the batch.
  await superuser.query(
    `update pgscore_data.online_batch set first_id = first_id - 10000 where batch_id = -11;
     insert into pgscore_data.online_block (prediction_id, n_predictions, version_id, requested_by, asked_at, duration_ms, scores)
     select y.prediction_id - 1, 1, y.version_id, 'alice', now(), 1, '{0.5}' from pgscore_data.online_block y order by 1 desc limit 1`,
  );
  const read = await service.query('select * from pgscore_data._shadowed_calls($1, $2, $3)', [
    experiment,
    version,
    batches,
  ]);
  expect(read.rows).toHaveLength(1);
  await service.query(finish, [experiment, version, batches]);
  expect(await refusal(service, finish, [experiment, version, batches])).toMatchObject({
    code: '55000',
    message: expect.stringContaining('scored by another service'),
  });
  expect(await shadowState(ada, 'leased')).toMatchObject({ scored: 1, waiting: 0, skipped: 0 });
  await keep(shadow, -12, 1);
  expect(await shadowState(ada, 'leased')).toMatchObject({ waiting: 0 });
});

test('a third failure in a row gives up what is next, and a stopped experiment all', async () => {
  const { champion } = await shade('failing');
  await startShadow(ada, 'failing');
  await keep(champion, -21, 1000);
  await keep(champion, -22, 7);
  const { experiment_id: experiment, version_id: version } = (await claim())!;
  const fail = 'select pgscore_data._fail_shadow($1, $2, $3)';
  const pause = `select round(extract(epoch from calls_due_at - clock_timestamp()))::int as s from pgscore_data.experiment_arm where experiment_id = $1`;
  for (const seconds of [2, 4]) {
    await service.query(fail, [experiment, version, 'it hung']);
    expect((await superuser.query(pause, [experiment])).rows).toEqual([{ s: seconds }]);
    expect(await shadowState(ada, 'failing')).toMatchObject({ waiting: 1007, skipped: 0, error: 'failing@2: it hung' });
  }
  await service.query(fail, [experiment, version, 'it hung']);
  expect(await shadowState(ada, 'failing')).toMatchObject({ waiting: 7, skipped: 1000 });
  await ada.query(`select pgscore.stop_experiment('failing')`);
  await keep(champion, -23, 1);
  expect(await shadowState(ada, 'failing')).toMatchObject({ waiting: 7 });
  await service.query(fail, [experiment, version, 'it hung again']);
  expect(await shadowState(ada, 'failing')).toMatchObject({ waiting: 0, skipped: 1007 });
});

test('the start of a shadow tells of which calls it knows nothing', async () => {
  const { champion, shadow } = await shade('told');
  const notices: string[] = [];
  ada.on('notice', ({ message }) => notices.push(message ?? ''));
  await ada.query(`select pgscore.log_calls('told', sampling => 0.25, inputs => false)`);
  await superuser.query('update pgscore_data.execution set native = true where version_id = $1', [champion.versionId]);
  await superuser.query(
    `update pgscore_data.version set signature = jsonb_set(signature, '{features}', '[{"name": "novel"}]') where version_id = $1`,
    [shadow.versionId],
  );
  await startShadow(ada, 'told');
  expect(notices).toEqual([
    'calls of model "told" that the database computes have no shadow, as they are not kept',
    'calls of model "told" have a shadow as far as they are kept with their inputs: 25 % are kept, without inputs',
    'version "told@2" reads "novel", which the champion does not: it cannot score calls',
  ]);
});

test('another kind of experiment counts no calls', async () => {
  await shade('split');
  await ada.query(`select pgscore.start_experiment('split', 'ab', '{"split@2": 50}', split_by => '{id}')`);
  expect(await shadowState(ada, 'split')).toMatchObject({ scored: null, waiting: null, skipped: null });
});
