import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, PACE, PATIENCE_MS } from './long-run.ts';

/** Rows of more than 1 MB, which are read through a view, and less than what is cut into shards. */
const OF_A_VIEW = 5000;

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

test('of runs submitted while no service runs one is scored when one starts; one whose table is dropped in the moment of the read says so', async () => {
  expect(await service.stop()).toBe(0);
  await createSource(alice, 'nightly', OF_A_VIEW);
  await alice.query(`select pgscore.schedule('nightly', '0 2 * * *', 'logistic', 'nightly')`);
  const { rows } = await alice.query<{ run: string }>(`select pgscore.run_schedule('nightly') as run`);
  const run = await submitRun(alice, 'logistic', 'small');
  const [dropping, superuser] = [await database.client('alice'), await database.client()];
  await dropping.query('begin; drop table nightly cascade');
  service = await startTestService(database, PACE);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', rows_done: '100', attempt: 1 });
  const waiting = `select from pg_stat_activity
    where datname = current_database() and application_name = 'pgscore reader' and wait_event_type = 'Lock'`;
  await waitFor(async () => (await superuser.query(waiting)).rows.length > 0, { message: 'the read to wait' });
  await dropping.query('commit');
  expect(await endOfRun(alice, rows[0]?.run ?? '')).toMatchObject({ state: 'failed', error_code: 'handle_missing' });
  expect(await service.stop()).toBe(0);
});
