import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, ONE_BATCH, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
let survivor = await startTestService(database, PACE);
await deployLogistic(await database.client('ada'));
await createSource(alice, 'big', LARGE);

/** Whether a scorer waits for somebody's lock. */
async function scorerWaits(): Promise<boolean> {
  const { rows } = await superuser.query(
    `select from pg_stat_activity where application_name = 'pgscore scorer' and wait_event_type = 'Lock' and datname = current_database()`,
  );
  return rows.length > 0;
}

test('a run goes on although a service was stopped between the last row of a shard and its commit', async () => {
  const zombie = survivor;
  const blocker = await database.client();
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  await blocker.query('begin');
  await blocker.query("select from pgscore_data.shard where run_id = $1 and state = 'running' for no key update", [
    run,
  ]);
  await waitFor(scorerWaits, { message: 'a shard to be ended' });
  const pids = [zombie.pid, ...(await zombie.scorerPids())];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await blocker.query('rollback');
  survivor = await startTestService(database, PACE);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 2, error: null });
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
  expect(await zombie.stop()).toBe(0);
});

test('a service that was stopped past its lease goes on with what nobody took over', async () => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  process.kill(survivor.pid, 'SIGSTOP');
  await waitFor(async () => {
    const { rows } = await superuser.query(
      `select from pgscore_data.run where run_id = $1 and lease_until < clock_timestamp()
        and not exists (select from pgscore_data.shard s where s.state = 'running' and s.lease_until > clock_timestamp())`,
      [run],
    );
    return rows.length > 0;
  });
  process.kill(survivor.pid, 'SIGCONT');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
});

test('a run whose publication is on its way to the server when its service is stopped is published all the same', async () => {
  await createSource(alice, 'small', ONE_BATCH);
  await scoreTable(alice, 'logistic', 'small');
  const blocker = await database.client();
  await blocker.query('begin');
  await blocker.query("select from pgscore_data.target where view_name = 'small_scores' for no key update");
  const run = await submitRun(alice, 'logistic', 'small');
  await waitFor(scorerWaits, { message: 'the publication to wait for its target' });
  const zombie = survivor;
  const pids = [zombie.pid, ...(await zombie.scorerPids())];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await blocker.query('rollback');
  survivor = await startTestService(database, PACE);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  await expectSound(database, { scored: [{ run, view: 'alice.small_scores', rows: ONE_BATCH }] });
  expect(await zombie.stop()).toBe(0);
});
