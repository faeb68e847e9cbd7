import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/prepare-database.ts';
import { startProxy } from '../support/proxy.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployTrees, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const HALF_OPEN_MS = 15_000;

const database = await cloneDatabase();
const proxy = await startProxy(database.url());
const settings = {
  PGSCORE_POLL: '0.5',
  PGSCORE_DATABASE_URL: proxy.url(database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD })),
  PGSCORE_READER_URL: proxy.url(database.url({ user: 'pgscore_reader', password: READER_PASSWORD })),
};
let service = await startTestService(database, settings);
const alice = await database.client('alice');
await deployTrees(await database.client('ada'));
await createSource(alice, 'small', 100);

/** A session of alice's that wakes nobody. */
async function quietAlice() {
  const quiet = await database.client('alice');
  await quiet.query('set pgscore.notify = off');
  return quiet;
}

async function listening(): Promise<boolean> {
  const answer = await fetch(`${service.url}/readyz`);
  return ((await answer.json()) as { listening: boolean }).listening;
}

test('a run whose NOTIFY is lost is found by polling', async () => {
  const run = await scoreTable(await quietAlice(), 'trees', 'small');
  expect(run).toMatchObject({ state: 'done', rows_done: '100', attempt: 1 });
});

test('a transaction in two phases submits its run when it is committed', async () => {
  const quiet = await quietAlice();
  await quiet.query('begin');
  const run = await submitRun(quiet, 'trees', 'small');
  await quiet.query("prepare transaction 'submits'");
  const { rows } = await alice.query('select from pgscore.runs where run = $1', [run]);
  expect(rows).toEqual([]);
  await quiet.query("commit prepared 'submits'");
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', rows_done: '100', attempt: 1 });
});

test('a transaction in two phases that is rolled back submits nothing', async () => {
  const quiet = await quietAlice();
  await quiet.query('begin');
  const run = await submitRun(quiet, 'trees', 'small', { target: 'never' });
  await quiet.query("prepare transaction 'changes its mind'");
  await quiet.query("rollback prepared 'changes its mind'");
  const { rows } = await alice.query("select run, to_regclass('never') as view from pgscore.runs where run = $1", [
    run,
  ]);
  expect(rows).toEqual([]);
});

test('a transaction that has sent NOTIFY cannot be prepared, and leaves nothing', async () => {
  const loud = await database.client('alice');
  await loud.query('begin');
  const run = await submitRun(loud, 'trees', 'small', { target: 'never' });
  await expect(loud.query("prepare transaction 'sends'")).rejects.toMatchObject({ code: '0A000' });
  await loud.query('rollback');
  const { rows } = await alice.query(
    "select to_regclass('never') as view, (select count(*)::int from pgscore.runs where run = $1) as runs",
    [run],
  );
  expect(rows).toEqual([{ view: null, runs: 0 }]);
});

test('a run submitted while no service runs is scored when one starts', async () => {
  expect(await service.stop()).toBe(0);
  const run = await submitRun(alice, 'trees', 'small');
  service = await startTestService(database, settings);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', rows_done: '100', attempt: 1 });
});

test('a half-open LISTEN connection is noticed and replaced; polling goes on meanwhile', async () => {
  await waitFor(listening);
  const cut = performance.now();
  expect(proxy.blackhole('pgscore listen')).toBe(1);
  expect(await scoreTable(alice, 'trees', 'small')).toMatchObject({ state: 'done', rows_done: '100', attempt: 1 });
  await waitFor(async () => !(await listening()), {
    timeout: HALF_OPEN_MS + 1000,
    message: 'the silence to be noticed',
  });
  expect(performance.now() - cut).toBeLessThan(HALF_OPEN_MS + 1000);
  await waitFor(listening, { message: 'the service to listen again' });
  await expectSound(database);
  expect(await service.stop()).toBe(0);
});
