import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
// One scorer, so that alice and bob are read for on one connection.
const service = await startTestService(database, { PGSCORE_SCORERS: '1' });
const [superuser, ada, alice, bob] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
]);

/** What code in alice's source tries; each that works adds a power of two to a prediction of hers. */
const ATTEMPTS = [
  `select id from bob.secrets`,
  `select guard_key from pgscore_data.handle`,
  `select plan from pgscore_data.run`,
  `select bytes from pgscore_data.artifact`,
  `select * from pgscore_predictions.target_1`,
  `select set_config('role', 'bob', false)`,
  `set role bob`,
  `set session authorization bob`,
  `reset session authorization`,
  // Of a session that has ended meanwhile it is false and no error: nothing was done. In a list of its own, lest it be asked of others first.
  `select 1 / count(*) from (select pg_terminate_backend(pid) as ended from pg_stat_activity where usename = 'pgscore_service' offset 0) s where ended`,
  `select pg_read_file('/etc/passwd')`,
  `copy (select 1) to program 'true'`,
  `create temp table pg_attribute (x int)`,
  `create function pg_temp.current_setting(text, boolean) returns text language sql as 'select ''x'''`,
  `create table alice.made (x int)`,
  `insert into alice.notes values ('written')`,
  `alter role alice set search_path = alice`,
  `select pgscore.score_table('same', 'alice.plain')`,
  `set transaction_read_only = off`,
];

/** What it leaves behind in the session, allowed as that is. */
const POISON = [
  `select set_config('search_path', 'alice, pg_catalog', false)`,
  `select set_config('pgscore.guard', 'poisoned', false)`,
  `select set_config('row_security', 'on', false)`,
  `select set_config('alice.was_here', 'yes', false)`,
  `select set_config('statement_timeout', '1', false)`,
  `select set_config('default_transaction_read_only', 'off', false)`,
  `select set_config('DateStyle', 'German', false)`,
  `prepare left_behind as select 1`,
  `deallocate all`,
  `prepare left_behind as select 1`,
  `select pg_advisory_lock(99)`,
  `listen left_behind`,
  `declare left_behind cursor with hold for select 1`,
];

beforeAll(async () => {
  await deployBytes(ada, 'same', weightedModel({ a: 'float64' }));
  await bob.query('create table secrets (id int primary key, a float8); insert into secrets values (1, 10), (2, 20)');
  await scoreTable(bob, 'same', 'secrets');
  const list = (statements: string[]): string =>
    `array[${statements.map((text) => alice.escapeLiteral(text)).join(', ')}]`;
  const hostile = `create function attack() returns float8 volatile language plpgsql as $$
    declare worked float8 := 0; i int := 0; attempt text;
    begin
      foreach attempt in array ${list(ATTEMPTS)} loop
        begin execute attempt; worked := worked + 2 ^ i; exception when others then null; end;
        i := i + 1;
      end loop;
      foreach attempt in array ${list(POISON)} loop
        begin execute attempt; exception when others then null; end;
      end loop;
      return worked;
    end $$`;
  await alice.query(
    'create table plain (id int primary key, a float8); insert into plain values (1, 1), (2, 2); create table notes (note text)',
  );
  await alice.query(hostile);
  await alice.query(`
    create function alice.attack_as_policy() returns boolean language plpgsql as $$
      begin if alice.attack() > 0 then raise exception 'something worked'; end if; return true; end $$;
    create view hostile_view as select id, alice.attack() as a from plain;
    create table guarded (id int primary key, a float8); insert into guarded values (1, 0), (2, 0);
    alter table guarded enable row level security; alter table guarded force row level security;
    create policy hostile on guarded using (alice.attack_as_policy());
    create table found (id int primary key, a float8 default 0); insert into found values (1, 0);
    create function alice.attack_and_tell() returns float8 volatile language plpgsql as $$ begin return alice.attack(); end $$;
    create materialized view hostile_stored as select 1 as id, 0::float8 as a`);
});

/** What of the attempts worked, by the scores of alice's predictions. */
async function looted(source: string, options: Record<string, unknown> = {}): Promise<string[]> {
  const run = await scoreTable(alice, 'same', source, { key: 'id', target: `${source}_p`, ...options });
  expect(run).toMatchObject({ error: null, state: 'done', rows_done: '2', rows_failed: '0' });
  const text = `select max(score) as worked from ${source}_p`;
  const { rows } = await alice.query<{ worked: number }>(text);
  const worked = rows[0]?.worked ?? 0;
  return ATTEMPTS.filter((_, index) => Math.floor(worked / 2 ** index) % 2 === 1);
}

/** Bob's view of the session that reads for him. */
const SESSION = `create or replace view session as select 1 as id, (
    (select count(*) from pg_prepared_statements where name = 'left_behind')
    + (select count(*) from pg_cursors where name = 'left_behind')
    + (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())
    + (select count(*) from pg_listening_channels())
    + (current_setting('alice.was_here', true) is not null and current_setting('alice.was_here', true) <> '')::int
    + (current_setting('statement_timeout') <> '0')::int
    + (current_setting('DateStyle') not like 'ISO%')::int
    + (current_setting('transaction_read_only') <> 'on')::int
    + (current_setting('row_security') <> 'off')::int
  )::float8 as a`;

async function bobIsUnharmed(): Promise<void> {
  await bob.query(SESSION);
  expect(await scoreTable(bob, 'same', 'session', { key: 'id' })).toMatchObject({ state: 'done', rows_done: '1' });
  expect((await bob.query('select score from session_scores')).rows).toEqual([{ score: 0 }]);
  expect(await scoreTable(bob, 'same', 'secrets')).toMatchObject({ state: 'done', rows_done: '2' });
  expect((await bob.query('select id, score from secrets_scores order by id')).rows).toEqual([
    { id: 1, score: 10 },
    { id: 2, score: 20 },
  ]);
}

describe('code in a source finds nothing, and leaves nothing for the next requester', () => {
  test('in a view', async () => {
    expect(await looted('hostile_view')).toEqual([]);
    await bobIsUnharmed();
  });

  test('in a policy of a plain table', async () => {
    expect(await scoreTable(alice, 'same', 'guarded')).toMatchObject({
      state: 'failed',
      error_code: 'permission_denied',
    });
    expect(await scoreTable(alice, 'same', 'guarded', { rls: 'filter' })).toMatchObject({
      state: 'done',
      rows_done: '2',
    });
    await bobIsUnharmed();
  });

  test('in a view over a policy, again and again on the same connection', async () => {
    await alice.query('create view doubly as select g.id, alice.attack() as a from guarded g');
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await looted('doubly', { rls: 'filter' })).toEqual([]);
      await bobIsUnharmed();
    }
  });

  test('and wrote nothing', async () => {
    const { rows } = await superuser.query(
      `select to_regclass('alice.made') as made, (select count(*)::int from alice.notes) as notes,
              (select rolconfig from pg_roles where rolname = 'alice') as settings`,
    );
    expect(rows).toEqual([{ made: null, notes: 0, settings: null }]);
  });
});

describe('a key of a hostile type runs no code of its owner in the service', () => {
  test('as an enum with casts of its own to json and text, in a row that fails', async () => {
    await alice.query(`
      create type sly as enum ('x', 'y');
      create table alice.trace (who text);
      create function to_text(sly) returns text language plpgsql as $$ begin raise exception 'run as %', current_user; end $$;
      create function to_json(sly) returns json language plpgsql as $$ begin raise exception 'run as %', current_user; end $$;
      create cast (sly as text) with function to_text(sly);
      create cast (sly as json) with function to_json(sly);
      grant usage on schema alice to pgscore_owner, pgscore_service;
      create table slyly (k sly primary key, a float8); insert into slyly values ('x', 1), ('y', null)`);
    const run = await scoreTable(alice, 'same', 'slyly');
    expect(run).toMatchObject({ state: 'done', rows_done: '2', rows_failed: '1', error: null });
    expect((await alice.query('select key from pgscore.run_errors where run = $1', [run.run])).rows).toEqual([
      { key: { k: 'y' } },
    ]);
  });

  test('as a domain whose check would', async () => {
    await alice.query(`
      create function is_fine(text) returns boolean language plpgsql as $$ begin
        if current_user not in ('alice') then raise exception 'run as %', current_user; end if; return true; end $$;
      create domain checked as text check (is_fine(value));
      create table by_domain (k checked primary key, a float8); insert into by_domain values ('x', 1)`);
    expect(await scoreTable(alice, 'same', 'by_domain')).toMatchObject({ state: 'done', error: null });
    const { rows } = await superuser.query(
      `select distinct format_type(atttypid, null) as type from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'pgscore_predictions'::regnamespace and c.relkind in ('p', 'r') and a.attname = 'k' and a.atttypid <> 'alice.sly'::regtype`,
    );
    expect(rows).toEqual([{ type: 'text' }]);
  });
});

test('a forged notification does nothing but wake the service', async () => {
  const mallory = await database.client('mallory');
  for (const payload of ['', '1', 'run', '{"run": 1}', `'; drop table x; --`, 'ü'.repeat(3000), 'x'.repeat(7999)]) {
    await mallory.query('select pg_notify($1, $2)', ['pgscore_work', payload]);
  }
  expect(await scoreTable(bob, 'same', 'secrets')).toMatchObject({ state: 'done', rows_done: '2' });
  expect(service.process.exitCode).toBeNull();
  expect(service.log()).not.toMatch(/"level":(40|50|60)[^\n]*(notif|payload)/i);
});
