import { beforeAll, describe, expect, test } from '@jest/globals';
import { ident } from '../../src/lib/text.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_SCORERS: '1' });
const [ada, alice, service] = await Promise.all([
  database.client('ada'),
  database.client('alice'),
  database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
]);

const STRIKE = `pg_terminate_backend(pid) from pg_stat_activity where usename = 'pgscore_reader' and pid <> pg_backend_pid()`;

/** With rows wide enough for a table that is read through a view. */
async function createTable(name: string): Promise<void> {
  const create = `create table ${ident(name)} (id int primary key, a real, filler text);
    insert into ${ident(name)} select i, i, repeat('x', 400) from generate_series(1, 5000) i`;
  await alice.query(create);
}

/** The view that stands for a table in the one open transaction that has submitted a run. */
async function handle(): Promise<string> {
  const { rows } = await alice.query<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = 'pgscore_sources'::regnamespace and c.relkind = 'v' order by c.oid desc limit 1`,
  );
  return rows[0]?.name ?? '';
}

/** A session that reads for somebody else. */
async function otherReader(): Promise<() => Promise<boolean>> {
  const reader = await database.client({ user: 'pgscore_reader', password: READER_PASSWORD });
  reader.on('error', () => undefined);
  return () =>
    reader.query('select').then(
      () => true,
      () => false,
    );
}

beforeAll(() => deployBytes(ada, 'same', weightedModel({ a: 'float32' })));

test('a view handle that is replaced by other code after the run was submitted is not read', async () => {
  await createTable('replaced');
  const survives = await otherReader();
  await alice.query('begin');
  const run = await submitRun(alice, 'same', 'replaced');
  const replace = `create or replace view pgscore_sources.${ident(await handle())} with (security_barrier = true) as
    select c::int as c1, 1::real as c2 from (select count(s) as c from (select ${STRIKE}) x (s)) y`;
  await alice.query(replace);
  await alice.query('commit');
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'failed', error_code: 'source_changed' });
  expect(await survives()).toBe(true);
});

test('a table that took the place of the one that a view handle reads is not taken for it', async () => {
  await createTable('first');
  const strike = `create function strike(i int) returns int immutable language plpgsql as $$
    begin perform ${STRIKE}; return i; exception when others then return i; end $$`;
  await alice.query(strike);
  const survives = await otherReader();
  await alice.query('begin');
  const run = await submitRun(alice, 'same', 'first');
  await alice.query('alter table first rename to second; create index on second ((id + strike(1)))');
  await alice.query('create table first (like second)');
  await alice.query('commit');
  expect(await endOfRun(alice, run)).toMatchObject({
    state: 'failed',
    error_code: 'source_changed',
    error: 'the source was renamed, or its read handle altered, after the run was submitted',
  });
  expect(await survives()).toBe(true);
});

describe('a view handle', () => {
  const reads = async (name: string): Promise<unknown> =>
    (await service.query(`select pgscore_data._reads_source($1, 'alice', 'forms') as reads`, [name])).rows[0]?.reads;

  beforeAll(async () => {
    await createTable('forms');
    await alice.query(`create function own(a real) returns real language sql as 'select a';
      create function own(a real, b real) returns boolean language sql as 'select a = b';
      create operator ### (leftarg = real, rightarg = real, function = own);
      create domain checked as text check (own(1) > 0)`);
  });

  test.each([
    ['of its table', 'select (t.id)::integer as c1, (t.a)::real as c2 from forms t', true],
    ['with a function of PostgreSQL', 'select pg_backend_pid() as c1, a as c2 from forms', false],
    ['with a function', 'select id as c1, own(a) as c2 from forms', false],
    ['with an operator', 'select id as c1, a as c2 from forms where a ### 1', false],
    ['with an order', 'select id as c1, a as c2 from forms order by a using operator(pg_catalog.<)', false],
    ['with a domain', `select id as c1, a as c2 from forms where filler::checked is not null`, false],
    ['with an array of a domain', `select id as c1, a as c2 from forms where filler::checked[] is not null`, false],
    ['with a subquery', 'select id as c1, a as c2 from (select * from forms) x', false],
    ['with a sublink', 'select (select 1) as c1, a as c2 from forms', false],
    ['with an aggregate', 'select count(*)::int as c1, 1::real as c2 from forms', false],
    ['with a function in FROM', 'select id as c1, a as c2 from forms, pg_sleep(0)', false],
    ['of two queries', 'select id as c1, a as c2 from forms union all select id, a from forms', false],
    ['of another table', 'select c.oid::int as c1, 1::real as c2 from pg_class c', false],
    ['with names like nodes', `select 1 as " :funcid 1", 2 as "( {SUBLINK" from forms "{AGGREF"`, true],
  ])('%s', async (what, query, isPlain) => {
    const create = `create view pgscore_sources.${ident(what)} with (security_barrier = true) as ${query}`;
    await alice.query(create);
    expect(await reads(what)).toBe(isPlain);
  });

  test('with the rights of whoever reads it, or without its barrier', async () => {
    await alice.query('create view pgscore_sources.plain with (security_barrier = true) as select id as c1 from forms');
    expect(await reads('plain')).toBe(true);
    await alice.query('alter view pgscore_sources.plain set (security_invoker = true)');
    expect(await reads('plain')).toBe(false);
    await alice.query('alter view pgscore_sources.plain reset (security_invoker, security_barrier)');
    expect(await reads('plain')).toBe(false);
  });
});

test('tables of every kind of column are read through a view', async () => {
  await alice.query(`create type mood as enum ('sad', 'glad');
    create domain moody as mood;
    create domain amount as numeric(10, 2);
    create table kinds_keyed (id int, day date, at timestamp, a amount, m moody, b boolean, c char(3), v varchar(9), filler text, i2 smallint, primary key (id, day, c));
    insert into kinds_keyed select i, '2026-01-01', '2026-01-01', i, 'glad', true, 'abc', 'v', repeat('x', 400), 2 from generate_series(1, 5000) i`);
  await deployBytes(ada, 'kinds', weightedModel({ a: 'float32', i2: 'float32', b: 'float32' }));
  await ada.query(`select pgscore.monitor('kinds', segments => '{m,b,c,v,day}')`);
  await alice.query('begin');
  const run = await submitRun(alice, 'kinds', 'kinds_keyed', { event_time: 'at' });
  const { rows } = await alice.query('select kind from pgscore._handle_request order by handle_id desc limit 1');
  expect(rows).toEqual([{ kind: 'view' }]);
  await alice.query('commit');
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'done', error: null, rows_done: '5000' });
});
