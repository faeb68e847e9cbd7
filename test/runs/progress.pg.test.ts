import { expect, test } from '@jest/globals';

import { renewRuns } from '../../src/runs/lease.ts';
import { recordGeneration } from '../../src/runs/publish.ts';
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

async function phaseOf(id: string): Promise<string | null | undefined> {
  const { rows } = await alice.query<{ phase: string | null }>('select phase from pgscore.runs where run = $1', [id]);
  return rows[0]?.phase;
}

const SERVICE = '00000000-0000-0000-0000-000000000001';

async function claimedRun(): Promise<string> {
  const id = await submitRun(alice, 'risk', 'customers');
  await superuser.query(
    `update pgscore_data.run set state = 'running', phase = 'reading', attempt = 1, claimed_by = $2 where run_id = $1`,
    [id, SERVICE],
  );
  return id;
}

test('a run in one piece reads until a row is scored, and publishes once its predictions are loaded', async () => {
  const id = await claimedRun();
  await renewRuns(superuser, SERVICE, 60_000, [id], [0], [0]);
  expect(await phaseOf(id)).toBe('reading');
  await renewRuns(superuser, SERVICE, 60_000, [id], [10], [0]);
  expect(await phaseOf(id)).toBe('scoring');
  await recordGeneration(superuser, id, 1, SERVICE, 2, new Date().toISOString(), 20, 0, 0.5);
  expect(await phaseOf(id)).toBe('publishing');
});

test('a run in shards publishes once all of them are scored', async () => {
  const id = await claimedRun();
  await superuser.query(`update pgscore_data.run set phase = 'scoring' where run_id = $1`, [id]);
  await superuser.query(
    `insert into pgscore_data.shard (run_id, attempt, shard, block_from, state) values ($1, 1, 1, 0, 'done'), ($1, 1, 2, 8, 'queued')`,
    [id],
  );
  expect(await phaseOf(id)).toBe('scoring');
  await superuser.query(`update pgscore_data.shard set state = 'done' where run_id = $1`, [id]);
  expect(await phaseOf(id)).toBe('publishing');
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
