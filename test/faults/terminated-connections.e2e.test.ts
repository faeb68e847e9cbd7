import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';
import { CONNECTIONS_OF_A_RUN, terminate } from './terminate.ts';

const database = await cloneDatabase();
const service = await startTestService(database, PACE);
const superuser = await database.client();
const alice = await database.client('alice');
const ada = await database.client('ada');
await deployLogistic(ada);
await createSource(alice, 'big', LARGE);

async function expectDone(run: string, attempt: number): Promise<void> {
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
}

test.each(CONNECTIONS_OF_A_RUN)('a run goes on when the $part connection is terminated', async ({ part, attempt }) => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  expect(await terminate(superuser, part)).toBeGreaterThan(0);
  await expectDone(run, attempt);
});

test('a publication that is terminated is made again, from a new snapshot', async () => {
  const blocker = await database.client();
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  await blocker.query('begin');
  await blocker.query('select from pgscore_data.target for update');
  await waitFor(() => terminate(superuser, 'publish', 'waiting'), {
    timeout: 20_000,
    message: 'the publication to wait for the target',
  });
  await blocker.query('rollback');
  await expectDone(run, 2);
});

test('a model is checked though its connection is terminated', async () => {
  await terminate(superuser, 'check');
  await expect(deployLogistic(ada)).resolves.toBeUndefined();
});

test('control connections that are terminated as often as they come back cost a run nothing', async () => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  let ended = false;
  const done = expectDone(run, 1).finally(() => {
    ended = true;
  });
  for (const part of ['heartbeat', 'claim', 'settle', 'sweep', 'listen', 'check', 'claim', 'listen', 'sweep', 'check'])
    await waitFor(async () => ended || (await terminate(superuser, part)), {
      message: `the ${part} connection to come back`,
    });
  await done;
  expect(await service.stop()).toBe(0);
});
