import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { history, outcomes, runsOf, setBack, startLooker } from './scheduling.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const bob = await database.client('bob');
const ten = await Promise.all(Array.from({ length: 10 }, () => startLooker(database)));
const service = ten[0] ?? (await startLooker(database));

/** A yearly schedule of alice; `options` are further arguments in SQL. */
async function schedule(name: string, options = ''): Promise<void> {
  const statement = `select pgscore.schedule('${name}', '@yearly', 'risk', 'customers', time_zone => 'UTC', overlap => 'queue'${options})`;
  await alice.query(statement);
}

async function state(name: string): Promise<Record<string, unknown> | undefined> {
  const { rows } = await alice.query('select * from pgscore.schedules where name = $1', [name]);
  return rows[0];
}

beforeAll(async () => {
  await addReadyModel(superuser, 'risk');
  await alice.query('create table customers (id bigint primary key, x real); insert into customers values (1, 0.5)');
  await bob.query('create table leads (id bigint primary key, x real); insert into leads values (1, 0.5)');
});

test('a new schedule waits for its first time', async () => {
  await schedule('new');
  expect(await service.look()).toEqual({ submitted: 0, missed: 0, failed: 0, postponed: 0 });
  expect(await history(alice, 'new')).toEqual([]);
  const next = new Date(Date.UTC(new Date().getUTCFullYear() + 1, 0, 1));
  expect(await state('new')).toMatchObject({ state: 'active', next_fire_at: next, last_fire_at: null, owner: 'alice' });
});

test('a fire is submitted as the owner, once, however often one looks', async () => {
  await schedule('once');
  await setBack(superuser, 'once', 1);
  expect(await service.look()).toMatchObject({ submitted: 1 });
  await setBack(superuser, 'once', 1);
  expect(await service.look()).toEqual({ submitted: 0, missed: 0, failed: 0, postponed: 0 });
  const runs = await runsOf(alice, 'once');
  expect(runs).toEqual([{ run: expect.any(String), requested_by: 'alice' }]);
  expect(await history(alice, 'once')).toMatchObject([{ outcome: 'submitted', run: runs[0]?.run, error: null }]);
});

test('ten services that look at once submit each fire once', async () => {
  for (const name of ['ten a', 'ten b', 'ten c']) {
    await schedule(name, ", catch_up => 'all'");
    await setBack(superuser, name, 4);
  }
  const counts = await Promise.all(ten.map((one) => one.look()));
  expect(counts.reduce((sum, count) => sum + count.submitted, 0)).toBe(12);
  expect(counts.reduce((sum, count) => sum + count.failed, 0)).toBe(0);
  for (const name of ['ten a', 'ten b', 'ten c']) {
    expect(await outcomes(alice, name)).toEqual(['submitted', 'submitted', 'submitted', 'submitted']);
    expect(await runsOf(alice, name)).toHaveLength(4);
  }
});

describe('after a gap', () => {
  test('latest submits the newest fire and records the others as missed', async () => {
    await schedule('latest');
    await setBack(superuser, 'latest', 3);
    expect(await service.look()).toEqual({ submitted: 1, missed: 2, failed: 0, postponed: 0 });
    const fires = await history(alice, 'latest');
    expect(fires).toMatchObject([
      { outcome: 'missed', run: null, error: 'no service submitted it in time' },
      { outcome: 'missed' },
      { outcome: 'submitted', error: null },
    ]);
    const year = new Date().getUTCFullYear();
    expect(fires.map((fire) => fire.fire_at)).toEqual(
      [year - 2, year - 1, year].map((y) => new Date(Date.UTC(y, 0, 1))),
    );
  });

  test('skip records all as missed', async () => {
    await schedule('skip', ", catch_up => 'skip'");
    await setBack(superuser, 'skip', 3);
    expect(await service.look()).toEqual({ submitted: 0, missed: 3, failed: 0, postponed: 0 });
    expect(await outcomes(alice, 'skip')).toEqual(['missed', 'missed', 'missed']);
  });

  test('all submits every one, oldest first', async () => {
    await schedule('all', ", catch_up => 'all'");
    await setBack(superuser, 'all', 3);
    expect(await service.look()).toEqual({ submitted: 3, missed: 0, failed: 0, postponed: 0 });
    const runs = (await history(alice, 'all')).map((fire) => Number(fire.run));
    expect(runs).toEqual(runs.toSorted((a, b) => a - b));
  });

  test('a gap of more than a hundred fires is caught up in parts', async () => {
    await alice.query(
      "select pgscore.schedule('parts', '0 0 1 * *', 'risk', 'customers', time_zone => 'UTC', overlap => 'queue', catch_up => 'all')",
    );
    await setBack(superuser, 'parts', 10);
    expect(await service.look()).toMatchObject({ submitted: 100 });
    const rest = await service.look();
    expect(rest.submitted).toBeGreaterThanOrEqual(9);
    expect(new Set(await outcomes(alice, 'parts'))).toEqual(new Set(['submitted']));
    expect(await service.look()).toMatchObject({ submitted: 0 });
  });
});

test('a fire is skipped while the last run still goes on', async () => {
  await schedule('overlapping', ", catch_up => 'all'");
  await superuser.query("update pgscore_data.schedule set overlap = 'skip' where name = 'overlapping'");
  await setBack(superuser, 'overlapping', 2);
  expect(await service.look()).toMatchObject({ submitted: 1, failed: 0 });
  expect(await history(alice, 'overlapping')).toMatchObject([
    { outcome: 'submitted' },
    { outcome: 'skipped', run: null, error: 'the last run still goes on' },
  ]);
  const [run] = await runsOf(alice, 'overlapping');
  await alice.query('select pgscore.cancel_run($1)', [run?.run]);
  const again = await alice.query("select pgscore.run_schedule('overlapping') as run");
  expect(again.rows[0]?.run).not.toBeNull();
});

describe('a fire that cannot be submitted', () => {
  test('is recorded as failed with the reason, when the right to read was lost, and stops no other', async () => {
    await bob.query('grant usage on schema bob to alice; grant select on leads to alice');
    await alice.query("select pgscore.schedule('borrowed', '@yearly', 'risk', 'bob.leads', time_zone => 'UTC')");
    await schedule('healthy');
    await bob.query('revoke select on leads from alice');
    await setBack(superuser, 'borrowed', 1);
    await setBack(superuser, 'healthy', 1);
    expect(await service.look()).toMatchObject({ submitted: 1, failed: 1 });
    const [fire] = await history(alice, 'borrowed');
    expect(fire).toMatchObject({ outcome: 'failed', run: null });
    expect(fire?.error).toBe('permission denied for column "id" of bob.leads. grant select on bob.leads to alice;');
    expect(await state('borrowed')).toMatchObject({ last_outcome: 'failed', last_error: fire?.error });
    expect(await outcomes(alice, 'healthy')).toEqual(['submitted']);
  });

  test('fails when its owner may not use pgscore any more', async () => {
    const name = `${database.name}_carol`;
    const carol = `"${name}"`;
    const login = { user: name, password: 'carol' };
    const make = `create role ${carol} login password 'carol' in role pgscore_user; create schema ${carol} authorization ${carol}`;
    await superuser.query(make);
    try {
      const client = await database.client(login);
      await client.query('create table customers (id bigint primary key, x real)');
      await client.query("select pgscore.schedule('of carol', '@yearly', 'risk', 'customers', time_zone => 'UTC')");
      const revoke = `revoke pgscore_user from ${carol}`;
      await superuser.query(revoke);
      await setBack(superuser, 'of carol', 1);
      expect(await service.look()).toMatchObject({ submitted: 0, failed: 1 });
      expect(await history(superuser, 'of carol')).toMatchObject([
        { outcome: 'failed', error: 'permission denied for schema pgscore' },
      ]);
    } finally {
      await superuser.query("delete from pgscore_data.schedule where name = 'of carol'");
      const drop = `drop owned by ${carol} cascade; drop role ${carol}`;
      await superuser.query(drop);
    }
  });

  test('fails while its source is gone, and goes on with another of the same name', async () => {
    await alice.query('create table snapshot (id bigint primary key, x real)');
    await alice.query(
      "select pgscore.schedule('swapped', '@yearly', 'risk', 'snapshot', time_zone => 'UTC', overlap => 'queue')",
    );
    await alice.query('drop table snapshot');
    await setBack(superuser, 'swapped', 1);
    await service.look();
    expect((await history(alice, 'swapped'))[0]?.error).toMatch(
      /^source alice\.snapshot of schedule "swapped" does not exist any more\./,
    );

    await alice.query(
      'create table snapshot_new (x real, id bigint primary key); alter table snapshot_new rename to snapshot',
    );
    await superuser.query('delete from pgscore_data.schedule_fire');
    await setBack(superuser, 'swapped', 1);
    await service.look();
    expect(await history(alice, 'swapped')).toMatchObject([{ outcome: 'submitted', error: null }]);
  });

  test('waits while a lock is in the way, and others do not wait for it', async () => {
    await alice.query('create table locked (id bigint primary key, x real)');
    await alice.query("select pgscore.schedule('locked', '@yearly', 'risk', 'locked', time_zone => 'UTC')");
    await schedule('free');
    for (const name of ['locked', 'free']) await setBack(superuser, name, 1);
    const holder = await database.client('alice');
    await holder.query('begin; lock table locked');
    expect(await service.look()).toMatchObject({ submitted: 1, failed: 0, postponed: 1 });
    expect(await outcomes(alice, 'locked')).toEqual([]);
    await holder.query('rollback');
    expect(await service.look()).toMatchObject({ submitted: 1, postponed: 0 });
    expect(await outcomes(alice, 'locked')).toEqual(['submitted']);
  });

  test('waits while its owner holds the schedule in an open transaction', async () => {
    await schedule('held');
    await setBack(superuser, 'held', 3);
    const holder = await database.client('alice');
    await holder.query("begin; select pgscore.unschedule('held')");
    expect(await service.look()).toMatchObject({ submitted: 0, failed: 0, postponed: 1 });
    await holder.query('rollback');
    expect(await service.look()).toMatchObject({ submitted: 1, missed: 2 });
  });

  test('waits for the reader, where it cannot connect', async () => {
    await schedule('no reader');
    await setBack(superuser, 'no reader', 1);
    await expect(service.look(() => Promise.reject(new Error('Connection terminated')))).rejects.toThrow('terminated');
    expect(await outcomes(alice, 'no reader')).toEqual([]);
    expect(await service.look()).toMatchObject({ submitted: 1 });
  });

  test('a session cut in the middle leaves the fire undecided, and the next look submits it', async () => {
    await schedule('cut');
    await setBack(superuser, 'cut', 1);
    const cutting = async (): ReturnType<typeof service.openReader> => {
      const reader = await service.openReader();
      const { rows } = await reader.query<{ pid: number }>('select pg_backend_pid() as pid');
      await superuser.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
      return reader;
    };
    expect(await service.look(cutting)).toMatchObject({ submitted: 0, failed: 0, postponed: 1 });
    expect(await service.look()).toMatchObject({ submitted: 1 });
    expect(await runsOf(alice, 'cut')).toHaveLength(1);
  });
});

test('an expression that no service understands, as earlier releases took them, breaks the schedule, with the reason', async () => {
  await alice.query("select pgscore.schedule('never', '@daily', 'risk', 'customers', time_zone => 'UTC')");
  await superuser.query(
    "update pgscore_data.schedule set cron = '0 0 31 2 *', next_fire_at = null where name = 'never'",
  );
  await service.look();
  expect(await state('never')).toMatchObject({ state: 'broken', next_fire_at: null });
  expect((await state('never'))?.['last_error']).toMatch(/^cron expression "0 0 31 2 \*" cannot be used/);
});

describe('its owner', () => {
  test('pauses and resumes it, and what it slept through is not caught up', async () => {
    await schedule('paused', ", catch_up => 'all'");
    await setBack(superuser, 'paused', 2);
    await alice.query("select pgscore.pause_schedule('paused')");
    expect(await service.look()).toMatchObject({ submitted: 0 });
    expect(await state('paused')).toMatchObject({ state: 'paused', next_fire_at: null });
    await alice.query("select pgscore.resume_schedule('paused')");
    expect(await service.look()).toMatchObject({ submitted: 0, missed: 0 });
    expect(await outcomes(alice, 'paused')).toEqual([]);
    expect((await state('paused'))?.['next_fire_at']).not.toBeNull();
    await setBack(superuser, 'paused', 1);
    expect(await service.look()).toMatchObject({ submitted: 1 });
  });

  test('fires it now', async () => {
    await schedule('now');
    const { rows } = await alice.query<{ run: string }>("select pgscore.run_schedule('now') as run");
    expect(await history(alice, 'now')).toMatchObject([{ outcome: 'submitted', run: rows[0]?.run }]);
  });

  test('drops it, and the runs that it submitted stay', async () => {
    await schedule('gone');
    await setBack(superuser, 'gone', 1);
    await service.look();
    const [run] = await runsOf(alice, 'gone');
    const { rows: made } = await superuser.query("select handle from pgscore_data.schedule where name = 'gone'");
    await alice.query("select pgscore.unschedule('gone')");
    expect(await state('gone')).toBeUndefined();
    const { rows: left } = await superuser.query('select from pg_proc where proname = $1', [made[0]?.handle]);
    expect(left).toEqual([]);
    const { rows } = await alice.query('select schedule, state from pgscore.runs where run = $1', [run?.run]);
    expect(rows).toEqual([{ schedule: null, state: 'queued' }]);
  });
});

test('the clock set back submits nothing twice', async () => {
  await schedule('backwards', ", catch_up => 'all'");
  await setBack(superuser, 'backwards', 2);
  await service.look();
  await superuser.query(
    "update pgscore_data.schedule set decided_until = decided_until + interval '1 hour', next_fire_at = null where name = 'backwards'",
  );
  const ahead = (await superuser.query("select decided_until from pgscore_data.schedule where name = 'backwards'"))
    .rows;
  expect(await service.look()).toMatchObject({ submitted: 0, missed: 0 });
  const after = (await superuser.query("select decided_until from pgscore_data.schedule where name = 'backwards'"))
    .rows;
  expect(after).toEqual(ahead);
  expect(await runsOf(alice, 'backwards')).toHaveLength(2);
});
