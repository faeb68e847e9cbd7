import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, PATIENCE_MS, sleeping, startBehindProxy } from './long-run.ts';
import { expectSound } from './oracle.ts';

const HALF_OPEN_MS = 15_000;

const database = await cloneDatabase();
const { proxy, service } = await startBehindProxy(database);
const [superuser, alice] = [await database.client(), await database.client('alice')];
await deployLogistic(await database.client('ada'));
await createSource(alice, 'small', 1000);
await createSource(alice, 'big', LARGE);

test('a network that is slow loses no run and no row', async () => {
  proxy.delay(20);
  const run = await submitRun(alice, 'logistic', 'big');
  const ended = await endOfRun(alice, run, PATIENCE_MS);
  proxy.delay(0);
  // Under load it once took a second attempt, as the sweep of a service took its own runs whose lease had run out: should it again, the log says why.
  if (ended.attempt > 1) console.warn(service.log());
  expect(ended).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
});

async function listening(): Promise<boolean> {
  const answer = await fetch(`${service.url}/readyz`);
  return ((await answer.json()) as { listening: boolean }).listening;
}

test('a heartbeat that gets no answer is sent on another connection before the lease runs out', async () => {
  // It takes longer than the lease to give its first row.
  await alice.query('create view slow as select small.* from small, (select pg_sleep(6) offset 0) pause');
  const run = await submitRun(alice, 'logistic', 'slow', { key: 'id' });
  await sleeping(superuser);
  expect(proxy.blackhole('pgscore heartbeat')).toBe(1);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await expectSound(database, { scored: [{ run, view: 'alice.slow_scores', rows: 1000 }] });
});

test('a half-open LISTEN connection is noticed and replaced; polling goes on meanwhile', async () => {
  await waitFor(listening);
  const cut = performance.now();
  expect(proxy.blackhole('pgscore listen')).toBe(1);
  expect(await scoreTable(alice, 'logistic', 'small')).toMatchObject({ state: 'done', rows_done: '1000', attempt: 1 });
  await waitFor(async () => !(await listening()), { timeout: PATIENCE_MS, message: 'the silence to be noticed' });
  expect(performance.now() - cut).toBeLessThan(HALF_OPEN_MS + 10_000);
  await waitFor(listening, { message: 'the service to listen again' });
});

test('a service stops though no connection answers any more', async () => {
  for (const part of ['listen', 'claim', 'failures', 'check', 'heartbeat', 'sweep', 'schedule', 'reader', 'scorer'])
    proxy.blackhole(`pgscore ${part}`);
  proxy.refuse(true);
  expect(await service.stop()).toBe(0);
});
