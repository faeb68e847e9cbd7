import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectEnded, expectScored, expectSound } from './oracle.ts';

/** The one that goes on after others have stopped. */
let last: TestService;

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const first = await startTestService(database, { ...PACE, PGSCORE_GRACE: '600' });
await deployLogistic(await database.client('ada'));
await createSource(alice, 'big', LARGE);
await createSource(alice, 'small', 100);

/** A service in the middle of a run. */
async function serviceInARun(
  settings: Record<string, string>,
): Promise<{ service: TestService; run: string; pids: number[] }> {
  const service = await startTestService(database, { ...PACE, ...settings });
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  return { service, run, pids: await service.scorerPids() };
}

/** A service that goes on with a run which waits in the queue; it is up before it finds the run, which may take no longer than to start it. */
async function serviceForQueued(run: string, settings: Record<string, string>): Promise<TestService> {
  const notBefore = 'update pgscore_data.run set lease_until = $2 where run_id = $1';
  await superuser.query(notBefore, [run, 'infinity']);
  const service = await startTestService(database, { ...PACE, ...settings });
  await superuser.query(notBefore, [run, null]);
  await midRun(superuser, run);
  return service;
}

async function scores(service: TestService, run: string): Promise<boolean> {
  const { rows } = await superuser.query(
    `select from pgscore_data.shard where run_id = $1 and claimed_by = $2 and state = 'running'`,
    [run, service.id],
  );
  return rows.length > 0;
}

async function stateOf(run: string): Promise<unknown> {
  const { rows } = await alice.query('select state, attempt from pgscore.runs where run = $1', [run]);
  return rows[0];
}

async function workerState(service: TestService): Promise<string | undefined> {
  const { rows } = await superuser.query<{ state: string }>(
    'select state from pgscore_data.service where service_id = $1',
    [service.id],
  );
  return rows[0]?.state;
}

test('an idle service stops at once', async () => {
  const pids = await first.scorerPids();
  expect(await first.stop()).toBe(0);
  await expectEnded(pids);
  expect(await workerState(first)).toBe('stopped');
});

test('a service that is asked to stop finishes the run it is in, within its grace, and claims nothing new', async () => {
  const { service, run, pids } = await serviceInARun({ PGSCORE_GRACE: '600', PGSCORE_BATCH_ROWS: '2' });
  const stopped = service.stop();
  // A fast one is done before it has said that it is draining.
  await waitFor(async () => (await workerState(service)) !== 'running', { timeout: PATIENCE_MS });
  const late = await submitRun(alice, 'logistic', 'small');
  expect(await stopped).toBe(0);
  expect(await stateOf(run)).toEqual({ state: 'done', attempt: 1 });
  expect(await stateOf(late)).toEqual({ state: 'queued', attempt: 0 });
  await alice.query('select pgscore.cancel_run($1)', [late]);
  await expectScored(database, [{ run, view: 'alice.big_scores', rows: LARGE }]);
  await expectEnded(pids);
});

test('a signal to all of its processes at once, as systemd sends it, is one to the service', async () => {
  const { service, run, pids } = await serviceInARun({ PGSCORE_GRACE: '600' });
  for (const pid of pids) process.kill(pid, 'SIGTERM');
  expect(await service.stop()).toBe(0);
  expect(await stateOf(run)).toEqual({ state: 'done', attempt: 1 });
  expect(service.log()).not.toContain('scorer_lost');
});

test('a second signal cuts the grace short', async () => {
  const { service, run, pids } = await serviceInARun({ PGSCORE_GRACE: '600', PGSCORE_BATCH_ROWS: '1' });
  const stopped = service.stop();
  await waitFor(async () => (await workerState(service)) === 'draining', { timeout: PATIENCE_MS });
  expect(await service.stop()).toBe(0);
  expect(await stopped).toBe(0);
  expect(await stateOf(run)).toEqual({ state: 'queued', attempt: 0 });
  await alice.query('select pgscore.cancel_run($1)', [run]);
  await expectEnded(pids);
});

test('what it cannot finish within its grace it gives back as often as services stop, which costs no attempt; the next tidies up', async () => {
  const { service, run, pids } = await serviceInARun({ PGSCORE_GRACE: '0' });
  expect(await service.stop()).toBe(0);
  expect(await stateOf(run)).toEqual({ state: 'queued', attempt: 0 });
  const next = await serviceForQueued(run, { PGSCORE_GRACE: '0' });
  expect(await next.stop()).toBe(0);
  expect(await stateOf(run)).toEqual({ state: 'queued', attempt: 0 });
  last = await startTestService(database, { ...PACE, PGSCORE_GRACE: '0' });
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }], gone: pids });
});

test('shards of a run that goes on elsewhere are given back, too', async () => {
  const services = [last, await startTestService(database, { ...PACE, PGSCORE_GRACE: '0' })];
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  const { rows } = await superuser.query<{ claimant: string }>(
    'select claimed_by as claimant from pgscore_data.run where run_id = $1',
    [run],
  );
  const claimant = services.find(({ id }) => id === rows[0]?.claimant);
  const other = services.find((service) => service !== claimant);
  if (claimant === undefined || other === undefined) throw new Error('two services were started');
  await waitFor(() => scores(other, run), { timeout: PATIENCE_MS, message: 'the other service to score a shard' });
  expect(await other.stop()).toBe(0);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
  expect(await claimant.stop()).toBe(0);
});
