import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest } from '../watches/watching.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { ...PACE, PGSCORE_LEASE: '1', PGSCORE_BATCH_ROWS: '1' });
const superuser = await database.client();
const alice = await database.client('alice');
const keeper = await database.client('alice');
const bob = await database.client('bob');
await deployLogistic(await database.client('ada'));
for (const owner of [alice, bob]) {
  await createSource(owner, 'small', 1);
  await createSource(owner, 'followed', 2);
  await createSource(owner, 'big', LARGE);
}

async function locked(run: string): Promise<void> {
  await waitFor(
    async () => {
      const { rows } = await alice.query('select error_code from pgscore.runs where run = $1', [run]);
      return rows[0]?.error_code === 'target_locked';
    },
    { message: `run ${run} to be given back`, timeout: PATIENCE_MS },
  );
}

test('runs whose targets are held wait in the queue, let others by, and end done', async () => {
  const targets = ['one', 'two', 'three', 'four'];
  for (const target of targets) await scoreTable(alice, 'logistic', 'small', { target });
  await keeper.query('begin');
  for (const target of targets) await keeper.query(`select pgscore.keep_history($1, '1 day')`, [target]);
  const hers: string[] = [];
  for (const target of targets) hers.push(await submitRun(alice, 'logistic', 'small', { target }));
  for (const run of hers) await locked(run);
  const his = await submitRun(bob, 'logistic', 'small');
  expect(await endOfRun(bob, his, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await keeper.query('rollback');
  for (const run of hers)
    expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', error_code: null, error: null });
  const scored = hers.map((run, n) => ({ run, view: `alice.${targets[n]}`, rows: 1 }));
  await expectSound(database, { scored: [...scored, { run: his, view: 'bob.small_scores', rows: 1 }] });
});

test('a large run keeps what it scored while its target is held', async () => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  await keeper.query('begin');
  await keeper.query(`select pgscore.keep_history('big_scores', '1 day')`);
  await waitFor(
    async () => {
      const { rows } = await superuser.query(
        `select from pgscore_data.shard s join pgscore_data.run r using (run_id, attempt) where run_id = $1
         group by r.lease_until having bool_and(s.state = 'done')`,
        [run],
      );
      return rows.length > 0;
    },
    { message: 'all of the run to be scored', timeout: PATIENCE_MS },
  );
  const his = await submitRun(bob, 'logistic', 'big');
  expect(await endOfRun(bob, his, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await keeper.query('rollback');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await expectSound(database, {
    scored: [
      { run, view: 'alice.big_scores', rows: LARGE },
      { run: his, view: 'bob.big_scores', rows: LARGE },
    ],
  });
});

test('a watch whose target or own row is held lets others follow, and goes on afterwards', async () => {
  for (const owner of [alice, bob]) {
    await owner.query(`select pgscore.watch('logistic', 'followed', target => 'live')`);
    await atRest(owner, `${owner.user}.live`);
  }
  await keeper.query('begin');
  await keeper.query(`select pgscore.keep_history('live', '1 day')`);
  await alice.query('update followed set f0 = f0 + 1');
  const run = await waitFor(async () => {
    const { rows } = await superuser.query<{ run: string }>(
      `select run_id as run from pgscore_data.run where error_code = 'target_locked'`,
    );
    return rows[0]?.run;
  });
  const pauser = await database.client('alice');
  await pauser.query('begin');
  await pauser.query(`select pgscore.pause_watch('live')`);
  await keeper.query('rollback');
  const attempts = `select attempt from pgscore_data.run where run_id = $1`;
  const { attempt } = (await superuser.query(attempts, [run])).rows[0];
  await bob.query('update followed set f0 = f0 + 1');
  await waitFor(async () => (await superuser.query(attempts, [run])).rows[0].attempt > attempt + 1, {
    timeout: PATIENCE_MS,
  });
  await atRest(bob, 'bob.live');
  await pauser.query('rollback');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', error_code: null, rows_done: '2' });
  await atRest(alice, 'alice.live');
});

test('somebody who asks for the end of her run and does not commit holds up nothing, not even that run', async () => {
  const hers = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, hers);
  await keeper.query('begin');
  expect((await keeper.query('select pgscore.cancel_run($1) as asked', [hers])).rows).toEqual([{ asked: true }]);
  const his = await submitRun(bob, 'logistic', 'big');
  expect(await endOfRun(bob, his, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  expect(await endOfRun(alice, hers, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await keeper.query('commit');
  await expectSound(database, {
    scored: [
      { run: hers, view: 'alice.big_scores', rows: LARGE },
      { run: his, view: 'bob.big_scores', rows: LARGE },
    ],
  });
  expect(await service.stop()).toBe(0);
});
