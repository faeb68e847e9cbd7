import { readdir, readFile } from 'node:fs/promises';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { submitDeploy } from '../support/deploy.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const LEASE_AND_POLL_MS = 1000 * (Number(PACE.PGSCORE_LEASE) + Number(PACE.PGSCORE_POLL));
/** For the claim and the snapshot, on a machine that does other things, too; what held the takeover up would be a timeout of 15 s. */
const BEGIN_MS = 5000;

const SMALL = 200;
const SMALL_RUNS = 12;

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const second = await startTestService(database, PACE);
let survivor = await startTestService(database, PACE);
await deployLogistic(await database.client('ada'));
await createSource(alice, 'big', LARGE);
await createSource(alice, 'small', SMALL);

/** The service that claimed a run, of two. */
async function claimantOf(run: string, one: TestService, other: TestService): Promise<[TestService, TestService]> {
  const { rows } = await superuser.query<{ claimed_by: string }>(
    'select claimed_by from pgscore_data.run where run_id = $1',
    [run],
  );
  return rows[0]?.claimed_by === one.id ? [one, other] : [other, one];
}

/** How many predictions each run has, and of how many keys. */
async function predictionsIn(history: string): Promise<unknown[]> {
  const count = `select run_id as run, count(*)::int as predictions, count(distinct id)::int as keys from alice.${history} group by run_id order by run_id`;
  return (await superuser.query(count)).rows;
}

test('two services score many runs, each exactly once', async () => {
  await alice.query('begin');
  const large = await submitRun(alice, 'logistic', 'big');
  const small: string[] = [];
  for (let n = 0; n < SMALL_RUNS; n += 1) small.push(await submitRun(alice, 'logistic', 'small'));
  await alice.query('commit');
  for (const run of [large, ...small])
    expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  expect(await predictionsIn('small_scores_history')).toEqual(
    small.map((run) => ({ run, predictions: SMALL, keys: SMALL })),
  );
  expect(await predictionsIn('big_scores_history')).toEqual([{ run: large, predictions: LARGE, keys: LARGE }]);
  await expectSound(database);
  const { rows } = await superuser.query<{ workers: number }>(
    'select count(distinct claimed_by)::int as workers from pgscore_data.run',
  );
  expect(rows[0]?.workers).toBe(2);
});

test('when a service is killed another takes its run over, and its scorers end by themselves', async () => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  const [victim, other] = await claimantOf(run, survivor, second);
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

/** Process ids of the probes that a service started. */
async function probesOf(service: number): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return pids.filter((_, at) => lines[at]?.endsWith(`/check/probe-main.js\0${service}\0`));
}

test('a model whose check a dead service held is checked by another', async () => {
  const version = await submitDeploy(await database.client('ada'), 'again', await readFile('bench/trees.onnx'), {
    native: false,
  });
  await waitFor(async () => {
    const { rows } = await superuser.query(
      `select from pgscore_data.version where state = 'checking' and claimed_by = $1`,
      [survivor.id],
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
