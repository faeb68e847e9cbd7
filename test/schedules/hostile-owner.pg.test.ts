import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { qualified } from '../../src/lib/text.ts';
import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { history, outcomes, runsOf, setBack, startLooker } from './scheduling.ts';

type Made = { id: number; fire: string; guardKey: string };

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const mallory = await database.client('mallory');
const service = await startLooker(database);

/** Runs with the rights of whoever calls the function, says who that is, and takes what it can. */
const GREEDY_BODY = `
begin
  insert into mallory.loot values (current_user);
  execute 'alter role pgscore_reader set work_mem = ''65MB''';
  return 1;
end`;

let made: { alice: Made; mallory: Made };

/** A schedule that is due now. */
async function schedule(owner: Client, name: string): Promise<Made> {
  await owner.query(
    "select pgscore.schedule($1, '@yearly', 'risk', 'customers', time_zone => 'UTC', overlap => 'queue')",
    [name],
  );
  await setBack(superuser, name, 1);
  const { rows } = await superuser.query<{ id: number; handle: string; guardKey: string }>(
    'select schedule_id as id, handle, guard_key as "guardKey" from pgscore_data.schedule where name = $1',
    [name],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`no schedule ${name}`);
  return { id: row.id, fire: qualified('pgscore_sources', row.handle), guardKey: row.guardKey };
}

async function turnGreedy(): Promise<void> {
  const replace = `create or replace function ${made.mallory.fire}(fire_at timestamptz) returns bigint language plpgsql security invoker as $body$${GREEDY_BODY}$body$`;
  await mallory.query(replace);
}

async function loot(): Promise<unknown[]> {
  const taken = await superuser.query('select * from mallory.loot');
  const settings = await superuser.query(
    `select from pg_db_role_setting s join pg_roles r on r.oid = s.setrole
      where r.rolname = 'pgscore_reader' and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))`,
  );
  return [...taken.rows, ...settings.rows];
}

/** A reader's session in which mallory acts at the very moments around the call of her function. */
async function between(before: () => Promise<unknown>, after: () => Promise<unknown>): Promise<Client> {
  const reader = await service.openReader();
  const query = reader.query.bind(reader) as (...call: unknown[]) => Promise<unknown>;
  const meddled = async (...call: unknown[]): Promise<unknown> => {
    const ofMallory = JSON.stringify(call).includes(made.mallory.fire.replaceAll('"', '\\"'));
    if (ofMallory) await before();
    const result = await query(...call);
    if (ofMallory) await after();
    return result;
  };
  return Object.assign(reader, { query: meddled }) as Client;
}

const doNothing = (): Promise<void> => Promise.resolve();

beforeAll(async () => {
  await addReadyModel(superuser, 'risk');
  await alice.query('create table customers (id bigint primary key, x real); insert into customers values (1, 0.5)');
  await mallory.query('create table customers (id bigint primary key, x real); create table loot (who text)');
  await mallory.query('grant usage on schema mallory to pgscore_reader; grant insert on loot to pgscore_reader');
});

beforeEach(async () => {
  await superuser.query('delete from pgscore_data.schedule');
  made = { mallory: await schedule(mallory, 'of mallory'), alice: await schedule(alice, 'of alice') };
});

describe('a function that its owner has changed', () => {
  const CHANGED = /^its function in pgscore_sources was changed or dropped/;

  test.each([
    ['has another body', () => turnGreedy()],
    [
      'runs as its caller',
      () => {
        const alter = `alter function ${made.mallory.fire}(timestamptz) security invoker`;
        return mallory.query(alter);
      },
    ],
    [
      'has another path',
      () => {
        const alter = `alter function ${made.mallory.fire}(timestamptz) set search_path = mallory`;
        return mallory.query(alter);
      },
    ],
    [
      'is dropped',
      () => {
        const drop = `drop function ${made.mallory.fire}(timestamptz)`;
        return mallory.query(drop);
      },
    ],
  ])('is not called when it %s', async (_, change) => {
    await change();
    expect(await service.look()).toMatchObject({ submitted: 1, failed: 1 });
    expect((await history(mallory, 'of mallory'))[0]?.error).toMatch(CHANGED);
    expect(await outcomes(alice, 'of alice')).toEqual(['submitted']);
    expect(await loot()).toEqual([]);
  });

  test('takes nothing when it is changed between the check and the call', async () => {
    expect(await service.look(() => between(turnGreedy, doNothing))).toMatchObject({ submitted: 1, postponed: 1 });
    expect(await loot()).toEqual([]);
    expect(await outcomes(alice, 'of alice')).toEqual(['submitted']);
    expect(await service.look()).toMatchObject({ submitted: 0, failed: 1 });
    expect((await history(mallory, 'of mallory'))[0]?.error).toMatch(CHANGED);
  });

  test('takes nothing when it is changed for the moment of the call, and is called once it is as it was', async () => {
    const { rows } = await superuser.query<{ definition: string }>(
      'select pg_get_functiondef($1::regprocedure) as definition',
      [`${made.mallory.fire}(timestamptz)`],
    );
    const turnBack = (): Promise<unknown> => mallory.query(rows[0]?.definition ?? '');
    expect(await service.look(() => between(turnGreedy, turnBack))).toMatchObject({ submitted: 1, postponed: 1 });
    expect(await loot()).toEqual([]);
    expect(await service.look()).toMatchObject({ submitted: 1, failed: 0 });
    expect(await outcomes(mallory, 'of mallory')).toEqual(['submitted']);
  });
});

test('a function of the same name beside it, by which each call would be ambiguous, is dropped', async () => {
  for (const more of ['more int default 0', 'variadic more int[]']) {
    const beside = `create function ${made.alice.fire}(fire_at timestamptz, ${more}) returns bigint language sql as 'select 1::bigint'`;
    await mallory.query(beside);
  }
  expect(await service.look()).toMatchObject({ submitted: 2, failed: 0 });
  expect(await outcomes(alice, 'of alice')).toEqual(['submitted']);
});

describe('what a function would have as pgscore_reader', () => {
  let reader: Client;

  beforeAll(async () => {
    reader = await service.openReader();
  });

  test.each([
    ['the tables of others', 'select from alice.customers'],
    ['the guard keys', 'select guard_key from pgscore_data.schedule'],
    ['the functions that submit', 'select pgscore._fire(1, now())'],
    ['the requests', 'select from pgscore._run_request'],
  ])('is not %s', async (_, statement) => {
    await expect(reader.query(statement)).rejects.toMatchObject({ code: '42501' });
    await reader.end();
    reader = await service.openReader();
  });

  test('is not the fire of another owner, whose key it does not have', async () => {
    await reader.query("select set_config('pgscore.guard', $1, false)", [made.mallory.guardKey]);
    const fire = `select ${made.alice.fire}(clock_timestamp()) as run`;
    expect((await reader.query(fire)).rows).toEqual([{ run: null }]);
    expect(await history(alice, 'of alice')).toEqual([]);
    expect(await runsOf(alice, 'of alice')).toEqual([]);
  });

  test('is not the rows behind the read handle of another owner', async () => {
    await service.look();
    const { rows } = await superuser.query<{ name: string; guard_key: string }>(
      "select name, guard_key from pgscore_data.handle where owner = 'alice' and kind = 'function'",
    );
    const handle = `select * from ${qualified('pgscore_sources', rows[0]?.name ?? '')}('(0,0)', '(1000,0)')`;
    await reader.query("select set_config('pgscore.guard', $1, false)", [made.mallory.guardKey]);
    expect((await reader.query(handle)).rows).toEqual([]);
    await reader.query("select set_config('pgscore.guard', $1, false)", [rows[0]?.guard_key]);
    expect((await reader.query(handle)).rows).toHaveLength(1);
  });

  test('leaves no key in the session', async () => {
    const opened: Client[] = [];
    const keep = async (): Promise<Client> => {
      const client = await service.openReader();
      client.end = doNothing as typeof client.end;
      opened.push(client);
      return client;
    };
    expect(await service.look(keep)).toMatchObject({ submitted: 2 });
    expect(opened).toHaveLength(1);
    const [session] = opened;
    expect((await session?.query("select current_setting('pgscore.guard', true) as key"))?.rows).toEqual([{ key: '' }]);
    const { rows } = await superuser.query(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and application_name = 'pgscore fire'",
    );
    expect(rows.length).toBeGreaterThan(0);
    reader = await service.openReader();
  });
});

describe('another user', () => {
  test('cannot fire, pause, resume, run or drop a schedule', async () => {
    for (const statement of [
      "select pgscore.pause_schedule('of alice')",
      "select pgscore.resume_schedule('of alice')",
      "select pgscore.run_schedule('of alice')",
      "select pgscore.unschedule('of alice')",
    ]) {
      await expect(mallory.query(statement)).rejects.toThrow('schedule "of alice" does not exist, or is not yours');
    }
    await expect(mallory.query('select pgscore._fire($1, now())', [made.alice.id])).rejects.toThrow('not yours');
    const pause = `insert into pgscore._schedule_command (action, schedule_id) values ('pause', $1)`;
    await expect(mallory.query(pause, [made.alice.id])).rejects.toThrow('does not exist, or is not yours');
    expect((await alice.query('select state from pgscore.schedules')).rows).toEqual([{ state: 'active' }]);
  });

  test('cannot claim the fires of a schedule by a run of her own', async () => {
    const submit = `select pgscore._submit_run('risk', 'customers', null, 'mallory', null, null, null, null, 'error', null, $1, now())`;
    await expect(mallory.query(submit, [made.alice.id])).rejects.toThrow(
      `schedule ${made.alice.id} belongs to another role`,
    );
    expect(await history(alice, 'of alice')).toEqual([]);
  });

  test('sees neither the schedule nor its history', async () => {
    await service.look();
    expect((await mallory.query('select name from pgscore.schedules')).rows).toEqual([{ name: 'of mallory' }]);
    expect((await mallory.query('select distinct name from pgscore.schedule_history')).rows).toEqual([
      { name: 'of mallory' },
    ]);
  });
});
