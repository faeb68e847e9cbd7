import { expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await addReadyModel(superuser, 'churn');
const alice = await database.client('alice');
const bob = await database.client('bob');

/** One of everything that scoring leaves: a table, a run, a target, a handle and a schedule. */
async function score(client: Client, schedule: string): Promise<number> {
  await client.query('create table customers (id int primary key, x real)');
  await client.query("select pgscore.schedule($1, '@daily', 'churn', 'customers')", [schedule]);
  const { rows } = await client.query("select pgscore.score_table('churn', 'customers')::int as run");
  return rows[0]?.run;
}

const herRun = await score(alice, 'hers');
const hisRun = await score(bob, 'his');

test.each([
  ['pgscore.runs', 'requested_by'],
  ['pgscore.targets', 'owner'],
  ['pgscore.schedules', 'owner'],
  ['pgscore._handle_request', 'requested_by'],
  ['pgscore._target_request', 'requested_by'],
  ['pgscore._schedule_request', 'requested_by'],
  ['pgscore._schedule_control', 'owner'],
])('%s shows a role its own rows only', async (view, column) => {
  const owners = `select distinct ${column}::text as owner from ${view}`;
  for (const [client, owner] of [
    [alice, 'alice'],
    [bob, 'bob'],
  ] as const) {
    const { rows } = await client.query(owners);
    expect(rows).toEqual([{ owner }]);
  }
});

test('a run of another cannot be cancelled, waited for or looked at', async () => {
  const { rows } = await bob.query('select run from pgscore.runs where run = $1', [herRun]);
  expect(rows).toEqual([]);
  const missing = { code: '42704', message: `run ${herRun} does not exist, or is not yours` };
  expect(await refusal(bob, `select pgscore.cancel_run(${herRun})`)).toMatchObject(missing);
  expect(await refusal(bob, `call pgscore.wait_for_run(${herRun})`)).toMatchObject(missing);
  const own = await bob.query('select pgscore.cancel_run($1) as cancelled', [hisRun]);
  expect(own.rows).toEqual([{ cancelled: true }]);
});

test.each(['pause_schedule', 'resume_schedule', 'run_schedule', 'unschedule'])(
  '%s does not reach the schedule of another',
  async (verb) => {
    const refused = await refusal(bob, `select pgscore.${verb}('hers')`);
    expect(refused).toMatchObject({ code: '42704', message: 'schedule "hers" does not exist, or is not yours' });
  },
);

test('the target of another cannot be dropped or written to', async () => {
  expect(await refusal(bob, "select pgscore.drop_target('alice.customers_scores')")).toMatchObject({ code: '42704' });
  const taken = "select pgscore.score_table('churn', 'customers', target_schema => 'alice')";
  expect(await refusal(bob, taken)).toMatchObject({ code: '42501' });
});

test('predictions of another cannot be read behind her views', async () => {
  const { rows } = await superuser.query<{ storage: string }>(
    "select storage from pgscore.targets where owner = 'alice'",
  );
  const storage = rows[0]?.storage ?? '';
  for (const suffix of ['', '_latest', '_history', '_g1']) {
    const refused = await refusal(bob, `select * from ${storage}${suffix}`);
    expect(refused.code).toBe('42501');
  }
});

test('a member of her role shares what is hers, as with every object of PostgreSQL', async () => {
  const friend = `friend_${database.name}`;
  const become = `create role ${friend}; grant alice, pgscore_user to ${friend}; set role ${friend}`;
  const leave = `reset role; drop role ${friend}`;
  await superuser.query(become);
  try {
    const { rows } = await superuser.query('select run::int from pgscore.runs');
    expect(rows).toEqual([{ run: herRun }]);
  } finally {
    await superuser.query(leave);
  }
});
