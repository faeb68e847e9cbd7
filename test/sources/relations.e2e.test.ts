import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_SCORERS: '2' });
const [superuser, ada, alice, bob] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
]);
await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));

const serverVersion = await serverVersionOf(superuser);

/** Scores a source with ids 1 to 6, a = id and b = 2, and gives the predictions by id. */
async function predictions(source: string, options: Record<string, unknown> = {}): Promise<[number, number][]> {
  const run = await scoreTable(alice, 'sum', source, { target: `${source}_p`, ...options });
  expect(run).toMatchObject({ state: 'done', rows_failed: '0', published: true, error: null });
  const text = `select id::int, score from ${source}_p order by id`;
  const { rows } = await alice.query<{ id: number; score: number }>(text);
  expect(run.rows_done).toBe(String(rows.length));
  return rows.map(({ id, score }) => [id, score]);
}

const six = [1, 2, 3, 4, 5, 6].map((id) => [id, id + 20]);

async function fill(table: string): Promise<void> {
  const insert = `insert into ${table} (id, a, b) select i, i, 2 from generate_series(1, 6) i`;
  await alice.query(insert);
}

// The service forgets the shards of a run soon after its end.
await superuser.query(`create table public.shards_done (run_id bigint, rows_done bigint);
  create function public.keep_shard() returns trigger language plpgsql security definer as
    'begin insert into public.shards_done values (new.run_id, new.rows_done); return null; end';
  create trigger keep after update on pgscore_data.shard for each row when (new.state = 'done' and old.state <> 'done') execute function public.keep_shard()`);

describe('every row of the source is scored once', () => {
  test('of a table', async () => {
    await alice.query('create table plain (id int primary key, a real, b real)');
    await fill('plain');
    expect(await predictions('plain')).toEqual(six);
  });

  test('of an unlogged table', async () => {
    await alice.query('create unlogged table unlogged (id int primary key, a real, b real)');
    await fill('unlogged');
    expect(await predictions('unlogged')).toEqual(six);
  });

  test('of a table partitioned on two levels, with an empty and a default partition', async () => {
    await alice.query(`
      create table parted (id int primary key, a real, b real) partition by range (id);
      create table parted_1 partition of parted for values from (1) to (3);
      create table parted_2 partition of parted for values from (3) to (6) partition by list (id);
      create table parted_2a partition of parted_2 for values in (3, 4);
      create table parted_2b partition of parted_2 default;
      create table parted_3 partition of parted default;
      create table parted_4 partition of parted for values from (100) to (200)`);
    await fill('parted');
    expect(await predictions('parted')).toEqual(six);
  });

  test('of a parent and what inherits from it, columns in another order', async () => {
    await alice.query(`
      create table parent (id int primary key, a real, b real);
      create table child (extra text, b real, a real, id int not null);
      alter table child inherit parent;
      insert into parent values (1, 1, 2), (2, 2, 2);
      insert into child (id, a, b) select i, i, 2 from generate_series(3, 6) i`);
    expect(await predictions('parent')).toEqual(six);
  });

  test('of a view, also one that joins, groups and has a LIMIT', async () => {
    await alice.query(`
      create table sales (id int, amount real);
      insert into sales select i, i / 2.0 from generate_series(1, 6) i, generate_series(1, 2);
      create view totals as
        select s.id, sum(s.amount)::real as a, max(c.b)::real as b from sales s cross join (values (2)) as c (b)
         group by s.id order by s.id limit 100`);
    expect(await predictions('totals', { key: 'id' })).toEqual(six);
  });

  test('of a view, which computes nothing while its locks are taken', async () => {
    await alice.query(`
      create function counted(i int) returns real language plpgsql stable as $$
      begin
        if coalesce(current_setting('pgscore.guard', true), '') = '' then raise 'computed where nothing is read'; end if;
        return i;
      end $$;
      create function numbers() returns setof int language plpgsql stable as $$
      begin
        perform alice.counted(1);
        return query select generate_series(1, 2);
      end $$;
      create view computed as
        with held as materialized (select i, alice.counted(i) as a from generate_series(3, 4) i order by alice.counted(i))
        select i as id, alice.counted(i) as a, 2::real as b from numbers() i
         union all select i, a, 2 from held
         union all select i, max(alice.counted(i)), 2 from generate_series(5, 6) i group by i having alice.counted(i) > 0`);
    expect(await predictions('computed', { key: 'id' })).toEqual(six);
  });

  test('of a materialised view', async () => {
    await alice.query(
      `create materialized view stored as select i as id, i::real as a, 2::real as b from generate_series(1, 6) i`,
    );
    expect(await predictions('stored', { key: 'id' })).toEqual(six);
  });

  test('of a table with generated columns', async () => {
    await alice.query(`create table generated (id int primary key, base real, a real generated always as (base * 2) stored, b real default 2);
      insert into generated (id, base) select i, i / 2.0 from generate_series(1, 6) i`);
    expect(await predictions('generated')).toEqual(six);
  });

  (serverVersion >= 180_000 ? test : test.skip)('of a table with virtual generated columns', async () => {
    await alice.query(`create table imagined (id int primary key, base real, a real generated always as (base * 2) virtual, b real default 2);
      insert into imagined (id, base) select i, i / 2.0 from generate_series(1, 6) i`);
    expect(await predictions('imagined')).toEqual(six);
  });

  test('of a table with dropped columns and columns that were added', async () => {
    await alice.query(`create table altered (gone int, id int primary key, a real); insert into altered select 9, i, i from generate_series(1, 6) i;
      alter table altered drop column gone; alter table altered add column b real default 2`);
    expect(await predictions('altered')).toEqual(six);
  });

  test.each([
    ['a table', 'create table large (id int primary key, a real, b real, filler text)'],
    [
      'a partitioned table',
      `create table large (id int primary key, a real, b real, filler text) partition by range (id);
       create table large_1 partition of large for values from (0) to (10000); create table large_2 partition of large default`,
    ],
  ])('of %s much larger than a batch, in shards', async (_, create) => {
    await alice.query(create);
    await alice.query(
      `insert into large select i, i % 1000, 2, repeat('x', 400) from generate_series(1, 20000) i; analyze large`,
    );
    const run = await scoreTable(alice, 'sum', 'large');
    expect(run).toMatchObject({ state: 'done', rows_done: '20000', rows_failed: '0' });
    const { rows } = await alice.query(`select count(*) as rows, count(distinct p.id) as keys,
      count(*) filter (where p.score is distinct from l.a + 20) as wrong from large_scores p join large l using (id)`);
    expect(rows).toEqual([{ rows: '20000', keys: '20000', wrong: '0' }]);
    const { rows: shards } = await superuser.query<{ shards: number; largest: number }>(
      'select count(*)::int as shards, max(rows_done)::int as largest from public.shards_done where run_id = $1',
      [run.run],
    );
    expect(shards[0]?.shards).toBeGreaterThan(1);
    expect(shards[0]?.largest).toBeLessThan(20_000);
    await alice.query('select pgscore.drop_target($1)', ['large_scores']);
    await alice.query('drop table large cascade');
  });
});

describe('of a table of which she may read some columns only, the rows are scored', () => {
  test.each([
    ['small', 6],
    ['in_shards', 4_000],
  ])('%s', async (table, rows) => {
    await superuser.query('grant usage on schema alice to bob');
    const create = `create table ${table} as select i as id, (i % 100)::real as a, 2::real as b, repeat('secret', 250) as c from generate_series(1, ${rows}) i`;
    const grant = `grant select (id, a, b) on ${table} to bob`;
    await alice.query(create);
    await alice.query(grant);
    const run = await scoreTable(bob, 'sum', `alice.${table}`, { key: 'id' });
    expect(run).toMatchObject({ state: 'done', rows_done: String(rows), error: null });
  });

  test('and those that row-level policies show her', async () => {
    await alice.query('alter table small enable row level security');
    await alice.query('create policy few on small for select to bob using (id <= 2)');
    expect(await scoreTable(bob, 'sum', 'alice.small', { key: 'id', rls: 'filter' })).toMatchObject({ rows_done: '2' });
  });
});

const { rows: extensions } = await superuser.query(`select from pg_available_extensions where name = 'postgres_fdw'`);
const withForeign = extensions.length > 0 ? test : test.skip;
if (extensions.length === 0) console.log('skipped: foreign tables, as this server has no postgres_fdw');

describe('a foreign table', () => {
  withForeign('is scored as the requester, with her user mapping', async () => {
    await alice.query('create table afar (id int primary key, a real, b real)');
    await fill('afar');
    await superuser.query(`create extension postgres_fdw; grant usage on foreign data wrapper postgres_fdw to alice`);
    const { hostname, port, pathname, password } = new URL(database.url('alice'));
    const quoted = (text: string): string => alice.escapeLiteral(decodeURIComponent(text));
    const server = `create server afar foreign data wrapper postgres_fdw
      options (host ${quoted(hostname)}, port ${quoted(port)}, dbname ${quoted(pathname.slice(1))})`;
    const mapping = `create user mapping for alice server afar options (user 'alice', password ${quoted(password)})`;
    await alice.query(server);
    await alice.query(mapping);
    await alice.query(
      `create foreign table foreigners (id int, a real, b real) server afar options (schema_name 'alice', table_name 'afar')`,
    );
    expect(await predictions('foreigners', { key: 'id' })).toEqual(six);
  });

  withForeign('is scored as one partition among others', async () => {
    await alice.query(`create table mixed (id int, a real, b real) partition by range (id);
      create table mixed_near partition of mixed for values from (7) to (9);
      insert into mixed values (7, 7, 2), (8, 8, 2);
      create foreign table mixed_far partition of mixed for values from (1) to (7) server afar options (schema_name 'alice', table_name 'afar')`);
    expect(await predictions('mixed', { key: 'id' })).toEqual([...six, [7, 27], [8, 28]]);
  });
});

describe('a source that cannot be scored is refused at once', () => {
  test('a temporary table, which only its session sees', async () => {
    await alice.query('create temp table passing (id int primary key, a real, b real)');
    expect(await refusal(alice, `select pgscore.score_table('sum', 'passing')`)).toMatchObject({
      code: '42809',
      message: 'source passing is a temporary table',
      hint: expect.stringContaining('unlogged'),
    });
  });

  test('a view over a temporary table', async () => {
    await alice.query('create temp view passing_view as select * from passing');
    const refused = await refusal(alice, `select pgscore.score_table('sum', 'passing_view', key => 'id')`);
    expect(refused).toMatchObject({ code: '42809' });
  });

  test.each([
    ['a sequence', 'create sequence numbers', 'numbers'],
    ['an index', 'create index some_index on plain (a)', 'some_index'],
    ['a composite type', 'create type pair as (id int, a real, b real)', 'pair'],
  ])('%s', async (_, create, name) => {
    await alice.query(create);
    const refused = await refusal(alice, `select pgscore.score_table('sum', $1::text::regclass)`, [name]);
    expect(refused).toMatchObject({ code: '42809', message: `source alice.${name} is not a table or view` });
  });

  test('a table that does not exist', async () => {
    expect((await refusal(alice, `select pgscore.score_table('sum', 'nowhere')`)).code).toBe('42P01');
  });

  test('a table that she may not read', async () => {
    await superuser.query(
      `create table ada.secret (id int primary key, a real, b real); grant usage on schema ada to alice`,
    );
    const refused = await refusal(alice, `select pgscore.score_table('sum', 'ada.secret')`);
    expect(refused).toMatchObject({
      code: '42501',
      hint: expect.stringMatching(/^grant select on ada\.secret to alice/),
    });
  });

  test('a table with a column that she may not read', async () => {
    await superuser.query('grant select (id, a) on ada.secret to alice');
    const refused = await refusal(alice, `select pgscore.score_table('sum', 'ada.secret')`);
    expect(refused).toMatchObject({ code: '42501', message: 'permission denied for column "b" of ada.secret' });
  });

  test('a table that a superuser does not own', async () => {
    const refused = await refusal(
      superuser,
      `select pgscore.score_table('sum', 'alice.plain', target_schema => 'ada')`,
    );
    expect(refused).toMatchObject({
      code: '42501',
      message: 'a superuser may not score a source that belongs to alice',
    });
  });
});
