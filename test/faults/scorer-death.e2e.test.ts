import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { ...PACE, PGSCORE_BATCH_TIMEOUT: '5' });
const superuser = await database.client();
const alice = await database.client('alice');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'big', LARGE);

test('a scorer that is killed costs its shard a try and the run nothing', async () => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  const [victim = 0] = await service.scorerPids();
  process.kill(victim, 'SIGKILL');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }], gone: [victim] });
  await waitFor(async () => (await service.scorerPids()).length === 2, { message: 'the scorer to be replaced' });
});

test('a scorer that hangs is killed after the batch timeout, and its shard scored by another', async () => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  const [victim = 0] = await service.scorerPids();
  process.kill(victim, 'SIGSTOP');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }], gone: [victim] });
  expect(service.log()).toContain('it made no progress for 5 s');
});
