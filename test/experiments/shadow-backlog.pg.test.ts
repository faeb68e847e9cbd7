import { expect, test } from '@jest/globals';

import { addMonitoredModel, addVersion, type MonitoredModel } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { lockWaiter, shadowState, startShadow } from './shadowed-calls.ts';

const database = await cloneDatabase();
const [superuser, ada, alice, service] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client(),
]);
await service.query('set role pgscore_service');

type Shaded = { readonly champion: MonitoredModel; readonly shadow: MonitoredModel };

async function shade(model: string): Promise<Shaded> {
  const champion = await addMonitoredModel(superuser, model, 'binary');
  const shadow = await addVersion(superuser, champion, 2);
  await superuser.query('select pgscore_data._set_alias($1, $2)', [champion.versionId, 'champion']);
  return { champion, shadow };
}

/** Keeps calls of a version as a gateway does, or the process of shadows: a batch, and a block of it. */
async function keep(model: MonitoredModel, batchId: number, predictions: number, isShadow = false): Promise<void> {
  await service.query('begin');
  await write(model, batchId, predictions, isShadow);
  await service.query('commit');
}

async function write(
  { versionId }: MonitoredModel,
  batchId: number,
  predictions: number,
  isShadow: boolean,
): Promise<void> {
  await service.query(
    `insert into pgscore_data.online_batch (batch_id, version_id, n_predictions, n_failed, snapshot_at, first_id)
     select $1, $2, $3, 0, now(), s.last_value from pgscore_data.online_prediction_id s`,
    [batchId, versionId, predictions],
  );
  await service.query(
    `insert into pgscore_data.online_block (n_predictions, version_id, requested_by, asked_at, duration_ms, keys, scores, is_shadow)
     values (1, $1, 'alice', now(), 1, '{{5}}', '{0.5}', $2)`,
    [versionId, isShadow],
  );
  await service.query(
    `update pgscore_data.online_batch set last_id = currval('pgscore_data.online_prediction_id') where batch_id = $1`,
    [batchId],
  );
}

type Claim = { experiment_id: number; version_id: number; batches: string[] };

async function claim(): Promise<Claim | undefined> {
  return (await service.query<Claim>(`select * from pgscore_data._claim_shadow('1 minute')`)).rows[0];
}

/** The blocks that wait for an arm. */
async function read({ experiment_id: experiment, version_id: version, batches }: Claim): Promise<string[]> {
  const text = 'select prediction_id from pgscore_data._shadowed_calls($1, $2, $3)';
  const { rows } = await service.query<{ prediction_id: string }>(text, [experiment, version, batches]);
  return rows.map(({ prediction_id: id }) => id);
}

const finish = 'select pgscore_data._finish_shadow($1, $2, $3, $4, 1, 0, 0, null)';

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
  const blocks = await read(claimed!);
  expect(blocks).toHaveLength(1);
  await service.query(finish, [experiment, version, batches, blocks]);
  expect(await refusal(service, finish, [experiment, version, batches, blocks])).toMatchObject({
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
    await service.query(fail, [experiment, version, 'it crashed']);
    expect((await superuser.query(pause, [experiment])).rows).toEqual([{ s: seconds }]);
    expect(await shadowState(ada, 'failing')).toMatchObject({
      waiting: 1007,
      skipped: 0,
      error: 'failing@2: it crashed',
    });
  }
  await service.query(fail, [experiment, version, 'it crashed']);
  expect(await shadowState(ada, 'failing')).toMatchObject({ waiting: 7, skipped: 1000 });
  await ada.query(`select pgscore.stop_experiment('failing')`);
  await keep(champion, -23, 1);
  expect(await shadowState(ada, 'failing')).toMatchObject({ waiting: 7 });
  await service.query(fail, [experiment, version, 'it crashed again']);
  expect(await shadowState(ada, 'failing')).toMatchObject({ waiting: 0, skipped: 1007 });
});

test('a shadow that hung rests a hundred times as long, and the calls that it hung on are skipped', async () => {
  const { champion } = await shade('hung');
  await startShadow(ada, 'hung');
  await keep(champion, -24, 1000);
  await keep(champion, -25, 7);
  const { experiment_id: experiment, version_id: version } = (await claim())!;
  const fail = `select pgscore_data._fail_shadow($1, $2, 'it hung', hung => '60 s')`;
  await service.query(fail, [experiment, version]);
  const rest = `select calls_due_at - calls_error_at > interval '99 minutes' as long from pgscore_data.experiment_arm where experiment_id = $1`;
  expect((await superuser.query(rest, [experiment])).rows).toEqual([{ long: true }]);
  expect(await shadowState(ada, 'hung')).toMatchObject({ waiting: 7, skipped: 1000, error: 'hung@2: it hung' });
  expect(await claim()).toBeUndefined();
  await ada.query(`select pgscore.stop_experiment('hung')`);
  await service.query(fail, [experiment, version]);
  expect(await shadowState(ada, 'hung')).toMatchObject({ waiting: 0, skipped: 1007 });
});

test('the start of a shadow tells of which calls it knows nothing, and that of a split which rows are refused', async () => {
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
  await ada.query(`select pgscore.stop_experiment('told')`);
  await ada.query(`select pgscore.start_experiment('told', 'ab', '{"told@2": 50}', split_by => '{id}')`);
  expect(notices.at(3)).toBe(
    'version "told@2" reads "novel", which the champion does not: score() refuses rows of its entities that lack it',
  );
});

test('another kind of experiment counts no calls', async () => {
  await shade('split');
  await ada.query(`select pgscore.start_experiment('split', 'ab', '{"split@2": 50}', split_by => '{id}')`);
  expect(await shadowState(ada, 'split')).toMatchObject({ scored: null, waiting: null, skipped: null });
});

test('what a shadow says of a call that is forgotten meanwhile is not kept', async () => {
  const { champion, shadow } = await shade('past');
  await startShadow(ada, 'past');
  const forget = `select pgscore.forget('past', key => '5')`;
  const left = async (): Promise<unknown> => {
    const count = 'select count(*)::int as n from pgscore_data.online_block where version_id = any ($1)';
    return (await superuser.query<{ n: number }>(count, [[champion.versionId, shadow.versionId]])).rows[0]?.n;
  };
  await keep(champion, -31, 1);
  const first = (await claim())!;
  const blocks = await read(first);
  const values = [first.experiment_id, first.version_id, first.batches];
  await ada.query('begin');
  await ada.query(forget);
  const refused = { code: '55000', message: expect.stringContaining('were deleted') };
  expect(await refusal(service, finish, [...values, blocks])).toMatchObject(refused);
  await ada.query('commit');
  expect(await refusal(service, finish, [...values, blocks])).toMatchObject(refused);
  expect([await read(first), await left()]).toEqual([[], 0]);

  await keep(champion, -32, 1);
  await superuser.query('update pgscore_data.experiment_arm set calls_due_at = now()');
  const second = (await claim())!;
  await service.query('begin');
  await write(shadow, -33, 1, true);
  await service.query(finish, [second.experiment_id, second.version_id, second.batches, await read(second)]);
  const forgotten = ada.query(forget);
  await lockWaiter(superuser, 'ada');
  await service.query('commit');
  await forgotten;
  expect(await left()).toBe(0);
});

test('what a shadow said has no shadow, once its version is the champion', async () => {
  const { champion } = await shade('chain');
  await startShadow(ada, 'chain');
  await keep(champion, -41, 1, true);
  expect(await shadowState(ada, 'chain')).toMatchObject({ waiting: 0 });
});

test('who started a shadow sees what it said of calls of others as a deployer only', async () => {
  const { champion } = await shade('seen');
  await keep(champion, -51, 1, true);
  const seen = `select is_shadow from pgscore.online_predictions where model = 'seen' and requested_by = 'alice'`;
  expect((await alice.query(seen)).rows).toEqual([]);
  expect((await ada.query(seen)).rows).toEqual([{ is_shadow: true }]);
});
