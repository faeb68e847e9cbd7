import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';
import { submitRun } from '../support/run.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
await addReadyModel(superuser, 'risk');
await alice.query('create table customers (id bigint primary key, x real)');
// Nobody serves this database, so a run is as far as is written here.
const run = await submitRun(alice, 'risk', 'customers');

type Progress = { state: string; rate: number; left: number | null; cost: number };

async function progress(): Promise<Progress | undefined> {
  const { rows } = await alice.query<Progress>(
    `select state, rows_per_second as rate, extract(epoch from eta)::float8 as left, cpu_seconds_per_million_rows as cost
       from pgscore.runs where run = $1`,
    [run],
  );
  return rows[0];
}

test('a run that goes on tells its rate, the time left at this rate, and what a million rows cost', async () => {
  await superuser.query(
    `update pgscore_data.run set state = 'running', phase = 'scoring', started_at = clock_timestamp() - interval '100 s',
            rows_done = 1000, rows_expected = 4000, cpu_seconds = 0.5 where run_id = $1`,
    [run],
  );
  const told = await progress();
  expect(told).toMatchObject({ state: 'running', cost: 500 });
  expect(told?.rate).toBeCloseTo(10, 0);
  expect(told?.left).toBeGreaterThan(299);
  expect(told?.left).toBeLessThan(310);
});

test('one with more rows than were expected tells no time left, and one that is done keeps its rate', async () => {
  await superuser.query('update pgscore_data.run set rows_expected = 900 where run_id = $1', [run]);
  expect(await progress()).toMatchObject({ left: null });
  await superuser.query(
    `update pgscore_data.run set state = 'done', finished_at = started_at + interval '50 s' where run_id = $1`,
    [run],
  );
  expect(await progress()).toEqual({ state: 'done', rate: 20, left: null, cost: 500 });
});

test('waiting for a run in the transaction that asked for it raises at once, with the statement to run after COMMIT', async () => {
  await alice.query('begin');
  const uncommitted = await submitRun(alice, 'risk', 'customers');
  expect(await refusal(alice, `call pgscore.wait_for_run(${uncommitted})`)).toMatchObject({
    message: `run ${uncommitted} is not committed yet`,
    hint: `Commit, then call pgscore.wait_for_run(${uncommitted}).`,
  });
  await alice.query('rollback');
});

test('waiting where no progress can be seen raises at once', async () => {
  const queued = await submitRun(alice, 'risk', 'customers');
  await alice.query('begin isolation level repeatable read');
  expect(await refusal(alice, `call pgscore.wait_for_run(${queued})`)).toMatchObject({ code: '25000' });
  await alice.query('rollback');
});
