import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startProxy } from '../support/proxy.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/prepare-database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { createSource, deployTrees, LARGE, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const proxy = await startProxy(database.url());
const service = await startTestService(database, {
  ...PACE,
  PGSCORE_BATCH_ROWS: '8192',
  PGSCORE_DATABASE_URL: proxy.url(database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD })),
  PGSCORE_READER_URL: proxy.url(database.url({ user: 'pgscore_reader', password: READER_PASSWORD })),
});
const alice = await database.client('alice');
await deployTrees(await database.client('ada'));
await createSource(alice, 'small', 1000);
await createSource(alice, 'big', LARGE);

test('a small run whose COMMIT went through is done, though nobody heard of it', async () => {
  const lost = proxy.loseReplyToCommit('pgscore scorer');
  const run = await submitRun(alice, 'trees', 'small');
  await lost;
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: '1000',
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.small_scores', rows: 1000 }] });
});

test('a shard whose COMMIT went through is not scored again', async () => {
  const lost = proxy.loseReplyToCommit('pgscore scorer');
  const run = await submitRun(alice, 'trees', 'big');
  await lost;
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
  expect(service.log()).not.toContain('shard opened again');
});

test('a publication whose COMMIT went through is not made again', async () => {
  const lost = proxy.loseReplyToCommit('pgscore publish');
  const run = await submitRun(alice, 'trees', 'big');
  await lost;
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
});

test('a network that is slow loses no run and no row', async () => {
  proxy.delay(20);
  const run = await submitRun(alice, 'trees', 'big');
  const ended = await endOfRun(alice, run, PATIENCE_MS);
  // Once in a dozen times under load it takes a second attempt: then the service's log is worth more than a red test.
  if (ended.attempt > 1) console.warn(service.log());
  expect(ended).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
});
