import { readdir, readFile } from 'node:fs/promises';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { submitDeploy } from '../support/deploy.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, ONE_BATCH, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const LEASE_AND_POLL_MS = 1000 * (Number(PACE.PGSCORE_LEASE) + Number(PACE.PGSCORE_POLL));
/** For the claim and the snapshot, on a machine that does other things, too; what held the takeover up would be a timeout of 15 s. */
const BEGIN_MS = 5000;

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
let survivor = await startTestService(database, PACE);
await deployLogistic(await database.client('ada'));
await createSource(alice, 'big', LARGE);

/** The service that conducts a run, of two. */
async function conductorOf(run: string, one: TestService, other: TestService): Promise<[TestService, TestService]> {
  const { rows } = await superuser.query<{ claimed_by: string }>(
    'select claimed_by from pgscore_data.run where run_id = $1',
    [run],
  );
  return rows[0]?.claimed_by === one.worker ? [one, other] : [other, one];
}

/** Whether a scorer waits for somebody's lock. */
async function scorerWaits(): Promise<boolean> {
  const { rows } = await superuser.query(
    `select from pg_stat_activity where application_name = 'pgscore scorer' and wait_event_type = 'Lock' and datname = current_database()`,
  );
  return rows.length > 0;
}

test('when a service is killed another takes its run over, and its scorers end by themselves', async () => {
  const second = await startTestService(database, PACE);
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  const [victim, other] = await conductorOf(run, survivor, second);
  const orphans = await victim.scorerPids();
  await victim.kill();
  const killed = performance.now();
  survivor = other;
  const { rows } = await superuser.query<{ state: string }>('select state from pgscore_data.run where run_id = $1', [
    run,
  ]);
  expect(rows).toEqual([{ state: 'running' }]);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 2,
    error: null,
  });
  const begun = await superuser.query<{ ms: number }>(
    'select extract(epoch from clock_timestamp() - snapshot_at)::float8 * 1000 as ms from pgscore_data.run where run_id = $1',
    [run],
  );
  expect(performance.now() - killed - (begun.rows[0]?.ms ?? 0)).toBeLessThan(LEASE_AND_POLL_MS + BEGIN_MS);
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }], gone: orphans });
});

test('a service that is started again goes on where the dead one stopped', async () => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  const orphans = await survivor.scorerPids();
  await survivor.kill();
  survivor = await startTestService(database, PACE);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 2,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }], gone: orphans });
});

test('what a service that was stopped past its lease still writes is rolled back', async () => {
  const zombie = survivor;
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  const pids = [zombie.pid, ...(await zombie.scorerPids())];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  survivor = await startTestService(database, PACE);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 2,
    error: null,
  });
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
  expect(await endOfRun(alice, await submitRun(alice, 'logistic', 'big'))).toMatchObject({ state: 'done', attempt: 1 });
  expect(await zombie.stop()).toBe(0);
  await expectSound(database, { gone: pids });
});

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

/** Process ids of the probes that a service started. */
async function probesOf(service: number): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return pids.filter((_, at) => lines[at]?.endsWith(`/check/probe-main.js\0${service}\0`));
}

test('a model whose check a dead service held is checked by another', async () => {
  const version = await submitDeploy(await database.client('ada'), 'again', await readFile('bench/trees.onnx'));
  await waitFor(async () => {
    const { rows } = await superuser.query(
      `select from pgscore_data.version where state = 'checking' and claimed_by = $1`,
      [survivor.worker],
    );
    return rows.length > 0;
  });
  const { pid } = survivor;
  await survivor.kill();
  await waitFor(async () => (await probesOf(pid)).length === 0, { message: 'the probe to end by itself' });
  survivor = await startTestService(database, PACE);
  await waitFor(
    async () => {
      const { rows } = await superuser.query("select from pgscore.models where model = 'again' and state = 'ready'");
      return rows.length > 0;
    },
    { timeout: PATIENCE_MS, message: `${version} to be ready` },
  );
});
