import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { createSource, deployLogistic, PACE, PATIENCE_MS } from './long-run.ts';

const database = await cloneDatabase();
let service = await startTestService(database, PACE);
const alice = await database.client('alice');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'small', 100);

/** A session of alice's that wakes nobody. */
async function quietAlice() {
  const quiet = await database.client('alice');
  await quiet.query('set pgscore.notify = off');
  return quiet;
}

test('a run whose NOTIFY is lost is found by polling', async () => {
  const run = await scoreTable(await quietAlice(), 'logistic', 'small');
  expect(run).toMatchObject({ state: 'done', rows_done: '100', attempt: 1 });
});

test('a transaction in two phases submits its run when it is committed', async () => {
  const quiet = await quietAlice();
  await quiet.query('begin');
  const run = await submitRun(quiet, 'logistic', 'small');
  await quiet.query("prepare transaction 'submits'");
  const { rows } = await alice.query('select from pgscore.runs where run = $1', [run]);
  expect(rows).toEqual([]);
  await quiet.query("commit prepared 'submits'");
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', rows_done: '100', attempt: 1 });
});

test('a transaction in two phases that is rolled back submits nothing', async () => {
  const quiet = await quietAlice();
  await quiet.query('begin');
  const run = await submitRun(quiet, 'logistic', 'small', { target: 'never' });
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
  const run = await submitRun(loud, 'logistic', 'small', { target: 'never' });
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
  const run = await submitRun(alice, 'logistic', 'small');
  service = await startTestService(database, PACE);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', rows_done: '100', attempt: 1 });
  expect(await service.stop()).toBe(0);
});
