import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { READER_PASSWORD } from '../support/service-passwords.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_SCORERS: '1' });
const [superuser, ada, alice, bob, reader] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
  database.client({ user: 'pgscore_reader', password: READER_PASSWORD }),
]);
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
for (const client of [alice, bob]) {
  await client.query(
    'create table secrets (id int primary key, a real); insert into secrets select i, i from generate_series(1, 3) i',
  );
  await scoreTable(client, 'same', 'secrets');
}

/** The read handle of a role's newest run. */
async function handleOf(role: string): Promise<{ name: string; guard_key: string }> {
  const { rows } = await superuser.query<{ name: string; guard_key: string }>(
    'select name, guard_key from pgscore_data.handle where owner = $1 order by handle_id desc limit 1',
    [role],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`${role} has no handle`);
  return row;
}

const reads = (name: string): string => `select * from pgscore_sources.${ident(name)}('(0,0)', '(4294967295,0)')`;

describe('pgscore_reader', () => {
  test('reads nothing through a handle without its key', async () => {
    const { name } = await handleOf('bob');
    expect((await reader.query(reads(name))).rows).toEqual([]);
    await reader.query(`select set_config('pgscore.guard', 'guessed', false)`);
    expect((await reader.query(reads(name))).rows).toEqual([]);
    await reader.query(`select set_config('pgscore.guard', $1, false)`, [(await handleOf('alice')).guard_key]);
    expect((await reader.query(reads(name))).rows).toEqual([]);
  });

  test.each([
    'select * from bob.secrets',
    'select * from pgscore_data.handle',
    'select * from pgscore_data.run',
    'select * from pgscore_predictions.target_1',
    'select * from pgscore.runs',
    'select * from pgscore.models',
    `select pgscore.score_table('same', 'bob.secrets')`,
    'set role bob',
    'set role pgscore_owner',
    'set session authorization bob',
    'create table x (i int)',
    'create schema x',
  ])('may do nothing else: %s', async (text) => {
    expect((await refusal(reader, text)).code).toMatch(/^(42501|42704|3F000)$/);
  });

  test('is the only role besides its owner that may call a handle', async () => {
    const { name } = await handleOf('bob');
    for (const client of [alice, ada]) expect((await refusal(client, reads(name))).code).toBe('42501');
  });
});

/** What alice's code finds when it gets to run as pgscore_reader in the service's session; collected in alice.loot. */
const LOOTING = `
declare
  attempt text;
  found text;
begin
  foreach attempt in array array[
    'select string_agg(id::text, '','') from bob.secrets',
    'select string_agg(guard_key, '','') from pgscore_data.handle',
    'select string_agg(r::text, '','') from pgscore_data.run r',
    'select count(*)::text from pgscore.runs',
    'select set_config(''role'', ''bob'', false)',
    'select set_config(''session_authorization'', ''bob'', false)',
    'select set_config(''transaction_read_only'', ''off'', false)',
    'alter role pgscore_reader password ''stolen''',
    'alter role pgscore_reader set search_path = alice',
    'alter role pgscore_reader nologin',
    'create temp table pg_class (x int)',
    'create function pg_temp.f() returns int language sql as ''select 1''',
    'create table alice.made (x int)',
    'grant pgscore_reader to alice'
  ] loop
    begin
      execute attempt into found;
      raise warning 'LOOT % -> %', attempt, found;
      loot := loot || attempt;
    exception when others then null;
    end;
  end loop;
end`;

/** Replaces alice's handle by one that runs her code with the caller's rights, and reports what worked as a row's score. */
async function plant(client: Client, name: string): Promise<void> {
  await client.query(`grant create, usage on schema alice to pgscore_reader`);
  const replace = `create or replace function pgscore_sources.${ident(name)}(lo tid, hi tid) returns table (c1 integer, c2 real)
    language plpgsql volatile security invoker as $$
    declare loot text[] := '{}';
    begin
      begin ${LOOTING.replaceAll('$', '')}; end;
      c1 := 1; c2 := cardinality(loot);
      if current_user <> 'alice' then c2 := c2 + 1000; end if;
      return next;
    end $$`;
  await client.query(replace);
}

describe('a requester who changes her handle', () => {
  test('to run as the reader is refused before it is called', async () => {
    const { name } = await handleOf('alice');
    const flip = `alter function pgscore_sources.${ident(name)}(tid, tid) security invoker`;
    await alice.query(flip);
    const run = await scoreTable(alice, 'same', 'secrets');
    expect(run).toMatchObject({ state: 'failed', error_code: 'handle_missing' });
    expect(run.error).toContain('altered');
    const drop = `drop function pgscore_sources.${ident(name)}(tid, tid)`;
    await alice.query(drop);
    expect(await scoreTable(alice, 'same', 'secrets')).toMatchObject({ state: 'done', rows_done: '3' });
  });

  test('between the check and the read gains nothing as the reader: it is called in a session that cannot write, and reads nothing', async () => {
    const { name, guard_key } = await handleOf('alice');
    await plant(alice, name);
    // What the service does with it, done by hand, since the moment between its check and its read is short.
    await reader.query('begin read only');
    await reader.query(`select set_config('pgscore.guard', $1, false)`, [guard_key]);
    const { rows } = await reader.query<{ c2: number }>(reads(name));
    await reader.query('rollback');
    expect(rows).toEqual([{ c1: 1, c2: 1000 }]);
    const { rows: role } = await superuser.query(
      `select rolcanlogin, rolconfig, (select count(*)::int from pg_auth_members where roleid = r.oid) as members from pg_roles r where rolname = 'pgscore_reader'`,
    );
    expect(role).toEqual([{ rolcanlogin: true, rolconfig: null, members: 0 }]);
    const { rows: made } = await superuser.query(`select to_regclass('alice.made') as made`);
    expect(made).toEqual([{ made: null }]);
  });

  test('cannot stop the service by overloading its name', async () => {
    const { name } = await handleOf('bob');
    const overload = `create function pgscore_sources.${ident(name)}(text) returns int language sql as 'select 1'`;
    await alice.query(overload);
    expect(await scoreTable(bob, 'same', 'secrets')).toMatchObject({ state: 'done', rows_done: '3' });
  });

  test("cannot have her own function called in place of another's handle, whatever arguments it takes", async () => {
    const { name } = await handleOf('bob');
    const lists = [
      'text, text',
      'varchar, varchar',
      'anyelement, anyelement',
      'tid, text',
      'text, text, int default 0',
      'variadic tid[]',
    ];
    // Submitted before, so that it is this handle that is called.
    await bob.query('begin');
    const run = await submitRun(bob, 'same', 'secrets');
    for (const list of lists) {
      const overload = `create function pgscore_sources.${ident(name)}(${list}) returns table (c1 integer, c2 real) language sql as 'select 666, 666::real'`;
      await alice.query(overload);
    }
    await bob.query('commit');
    expect(await endOfRun(bob, run)).toMatchObject({ state: 'done', rows_done: '3' });
    const { rows } = await bob.query('select id from secrets_scores order by id');
    expect(rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });

  test('can spoil the kept handle of another by a function that its call fits as well, and the next run has a new handle', async () => {
    const { name } = await handleOf('bob');
    const overload = `create function pgscore_sources.${ident(name)}(tid, tid, int default 0) returns table (c1 integer, c2 real) language sql as 'select 666, 666::real'`;
    await alice.query(overload);
    expect(await scoreTable(bob, 'same', 'secrets')).toMatchObject({ state: 'done', rows_done: '3' });
    expect((await handleOf('bob')).name).not.toBe(name);
  });

  test('cannot replace, alter or drop the handle of another', async () => {
    const { name } = await handleOf('bob');
    const target = `pgscore_sources.${ident(name)}(tid, tid)`;
    for (const text of [
      `drop function ${target}`,
      `alter function ${target} security invoker`,
      `alter function ${target} owner to alice`,
      `create or replace function pgscore_sources.${ident(name)}(lo tid, hi tid) returns table (c1 integer, c2 real) language sql as 'select 1, 2::real'`,
    ]) {
      expect((await refusal(alice, text)).code).toBe('42501');
    }
  });

  test("of a large table into a view with the reader's rights is refused before it is read", async () => {
    await alice.query(`create table large (id int primary key, a real, filler text);
      insert into large select i, i, repeat('x', 400) from generate_series(1, 10000) i`);
    await alice.query('begin');
    const run = await submitRun(alice, 'same', 'large');
    const { rows } = await alice.query<{ name: string }>(
      `select c.relname as name from pg_class c where c.relnamespace = 'pgscore_sources'::regnamespace and c.relkind = 'v' and c.relowner = 'alice'::regrole`,
    );
    const flip = `alter view pgscore_sources.${ident(rows[0]?.name ?? '')} set (security_invoker = true)`;
    await alice.query(flip);
    await alice.query('commit');
    expect(await endOfRun(alice, run)).toMatchObject({
      state: 'failed',
      error_code: 'source_changed',
      published: null,
    });
  });
});
