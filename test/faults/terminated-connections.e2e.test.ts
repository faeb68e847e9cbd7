import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployTrees, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const service = await startTestService(database, PACE);
const superuser = await database.client();
const alice = await database.client('alice');
const ada = await database.client('ada');
await deployTrees(ada);
await createSource(alice, 'big', LARGE);

/** Ends the sessions of a part of the service, all or those that wait for a lock; gives how many there were. */
async function terminate(part: string, which: 'all' | 'waiting' = 'all'): Promise<number> {
  const { rows } = await superuser.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = $1
        and ($2 = 'all' or wait_event_type = 'Lock')`,
    [`pgscore ${part}`, which],
  );
  return rows.length;
}

async function expectDone(run: string, attempt: number): Promise<void> {
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
}

test.each([
  { part: 'reader', attempt: 1 },
  { part: 'scorer', attempt: 1 },
  { part: 'settle', attempt: 1 },
  { part: 'claim', attempt: 1 },
  { part: 'heartbeat', attempt: 1 },
  { part: 'sweep', attempt: 1 },
  { part: 'listen', attempt: 1 },
  { part: 'conductor', attempt: 1 },
  { part: 'snapshot', attempt: 2 },
])('a run goes on when the $part connection is terminated', async ({ part, attempt }) => {
  const run = await submitRun(alice, 'trees', 'big');
  await midRun(superuser, run);
  expect(await terminate(part)).toBeGreaterThan(0);
  await expectDone(run, attempt);
});

test('a publication that is terminated is made again, from a new snapshot', async () => {
  const blocker = await database.client();
  const run = await submitRun(alice, 'trees', 'big');
  await midRun(superuser, run);
  await blocker.query('begin');
  await blocker.query('select from pgscore_data.target for update');
  await waitFor(() => terminate('publish', 'waiting'), {
    timeout: 20_000,
    message: 'the publication to wait for the target',
  });
  await blocker.query('rollback');
  await expectDone(run, 2);
});

test('a model is checked though its connection is terminated', async () => {
  await terminate('check');
  await deployTrees(ada);
});

test('control connections that are terminated as often as they come back cost a run nothing', async () => {
  const run = await submitRun(alice, 'trees', 'big');
  await midRun(superuser, run);
  let ended = false;
  const done = expectDone(run, 1).finally(() => {
    ended = true;
  });
  for (const part of ['heartbeat', 'claim', 'settle', 'sweep', 'listen', 'check', 'claim', 'listen', 'sweep', 'check'])
    await waitFor(async () => ended || (await terminate(part)), { message: `the ${part} connection to come back` });
  await done;
  expect(await service.stop()).toBe(0);
});
