import { beforeEach, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
await addReadyModel(superuser, 'line');

/** The keys that were queued since the last call, each once, in order. */
async function queued(): Promise<string[]> {
  const { rows } = await superuser.query<{ key: string }>(
    `with gone as (delete from pgscore_data.watch_change returning keys)
     select distinct k as key from gone cross join unnest(keys) k order by 1`,
  );
  return rows.map(({ key }) => key);
}

async function marks(): Promise<number> {
  return (await superuser.query('delete from pgscore_data.watch_to_compare')).rowCount ?? 0;
}

beforeEach(async () => {
  await alice.query('drop table if exists rows cascade');
  await superuser.query('truncate pgscore_data.watch_change, pgscore_data.watch_to_compare');
});

/** A table with one feature, a column that nobody reads, and whatever else is to be read. */
async function watched(further = ''): Promise<void> {
  const create = `create table rows (id bigint primary key, x real, note text ${further})`;
  await alice.query(create);
  await alice.query(`select pgscore.watch('line', 'rows', target => 'live')`);
}

const keys = (...numbers: number[]): string[] => numbers.map(String).sort();
const upTo = (last: number): string[] => keys(...Array.from({ length: last }, (_, index) => index + 1));

test.each([
  ['narrow rows', ''],
  ['rows that a feature makes wide', ', "Segment" text'],
])('statements of one row and of many queue the rows that changed, and no other: %s', async (_, further) => {
  await watched(further);
  for (const last of [1, 9, 10, 11, 12, 250]) {
    await alice.query(`insert into rows select i, i, 'a' from generate_series(1, $1) i`, [last]);
    expect(await queued()).toEqual(upTo(last));
    await alice.query(`update rows set note = 'b'`);
    expect(await queued()).toEqual([]);
    await alice.query(`update rows set note = 'c', x = x + (id % 2)::int`);
    expect(await queued()).toEqual(upTo(last).filter((key) => Number(key) % 2 === 1));
    await alice.query(`update rows set id = -id where id in (1, 5)`);
    expect(await queued()).toEqual(last < 5 ? ['-1', '1'] : ['-1', '-5', '1', '5']);
    await alice.query('delete from rows');
    expect(await queued()).toHaveLength(last);
  }
  expect(await marks()).toBe(0);
});

test('of a table of which all is read, rows that changed are queued, and no other, whatever columns it had', async () => {
  await alice.query('create table rows (id bigint primary key, gone text, x real)');
  await alice.query(`insert into rows select i, 'a', i from generate_series(1, 20) i; alter table rows drop gone`);
  await alice.query(`select pgscore.watch('line', 'rows', target => 'live')`);
  for (const some of ['id = 3', 'id < 9']) {
    const same = `update rows set x = x, id = id where ${some}`;
    await alice.query(same);
    expect(await queued()).toEqual([]);
    const other = `update rows set x = x + (id % 2)::int where ${some}`;
    await alice.query(other);
    expect(await queued()).toEqual(some === 'id = 3' ? ['3'] : keys(1, 3, 5, 7));
  }
  await alice.query('update rows set x = null where id = 3');
  await alice.query('update rows set id = 30 where id = 4');
  expect(await queued()).toEqual(['3', '30', '4']);
  await alice.query('alter table rows alter x type json using null');
  await alice.query(`update rows set x = '1' where id = 5`);
  await alice.query('alter table rows rename x to y');
  await alice.query(`update rows set y = '2' where id < 3`);
  expect(await queued()).toEqual(keys(1, 2, 5));
});

test('many rows after one row take no longer than in a session of their own', async () => {
  await watched();
  await alice.query('insert into rows values (0, 0)');
  await alice.query('update rows set x = 1');
  await alice.query('insert into rows select i, i from generate_series(1, 110000) i');
  await alice.query(`set statement_timeout = '20s'`);
  for (const most of [9999, 110000, 19999]) await alice.query('update rows set x = x + 1 where id <= $1', [most]);
  await alice.query('reset statement_timeout');
  expect(await queued()).toHaveLength(110001);
});

test('rows that swap their keys are queued as far as their state changed', async () => {
  await watched();
  await alice.query('alter table rows drop constraint rows_pkey');
  await alice.query('insert into rows values (1, 5), (2, 6), (3, 7)');
  await queued();
  await alice.query('update rows set id = case id when 1 then 2 when 2 then 1 else 3 end');
  expect(await queued()).toEqual(keys(1, 2));
});

test('a row that is moved to a partition whose trigger swallows it is queued', async () => {
  await alice.query(`
    create table rows (id bigint, x real, part int, primary key (id, part)) partition by list (part);
    create table rows_1 partition of rows for values in (1);
    create table rows_2 partition of rows for values in (2);
    create or replace function swallow() returns trigger language plpgsql as 'begin return null; end';
    create trigger swallow before insert on rows_2 for each row execute function swallow()`);
  await alice.query(`select pgscore.watch('line', 'rows', key => 'id', target => 'live')`);
  await alice.query('insert into rows select i, i, 1 from generate_series(1, 5) i');
  await queued();
  await alice.query('update rows set part = 2 where id = 3');
  expect(await queued()).toEqual(keys(3));
  await alice.query('update rows set part = case when id < 3 then 2 else 1 end');
  expect(await queued()).toEqual(expect.arrayContaining(keys(1, 2)));
});

test.each([
  ['is renamed', 'alter table rows rename x to y', 'update rows set y = y + 1 where id = 3'],
  ['is dropped', 'alter table rows drop x', 'update rows set note = note where id = 3'],
  ['in front is dropped', 'alter table rows drop note', 'update rows set x = x + 1 where id = 3'],
  ['has another type', 'alter table rows alter x type json using null', `update rows set x = '1' where id = 3`],
])(
  'a feature that %s fails no writer and loses no change until the watch is planned anew',
  async (_, alter, update) => {
    await watched();
    await alice.query('insert into rows select i, i from generate_series(1, 20) i');
    await queued();
    await alice.query(alter);
    await alice.query(update);
    expect(await queued()).toEqual(['3']);
    await alice.query('insert into rows (id) values (21)');
    await alice.query('delete from rows where id > 1');
    expect(await queued()).toEqual(upTo(21).filter((key) => key !== '1'));
  },
);

test.each([
  ['renamed', 'alter table rows rename id to other'],
  ['dropped', 'alter table rows drop id'],
])('a key that is %s asks for a comparison', async (_, alter) => {
  await watched();
  await alice.query('insert into rows select i, i from generate_series(1, 20) i');
  await queued();
  await alice.query(alter);
  const statements = [
    'insert into rows (x) values (21)',
    'update rows set x = 3 where x = 3',
    'update rows set x = x + 1',
    'delete from rows where x = 4',
  ];
  if (alter.includes('rename')) statements[0] = 'insert into rows values (21, 21)';
  for (const statement of statements) {
    await alice.query(statement);
    expect([statement, await marks(), await queued()]).toEqual([statement, 1, []]);
  }
});

test('the function of the triggers runs no text, sends no NOTIFY and holds no error back', async () => {
  await watched();
  const { rows } = await superuser.query<{ prosrc: string }>(
    `select prosrc from pg_proc where proname ~ '^capture_watch_' and pronamespace = 'pgscore_sources'::regnamespace`,
  );
  expect(rows.length).toBeGreaterThan(0);
  for (const { prosrc } of rows) expect(prosrc).not.toMatch(/\b(exception|execute|notify|pg_notify)\b/i);
});

test('columns may have the names that the function uses', async () => {
  await watched(', queued int, is_full int, t int, pgscore_row int, image int, k1 int, found int, "a""b$body$%s" int');
  await alice.query('insert into rows (id, x) values (1, 1), (2, 2)');
  await alice.query('update rows set x = 3 where id = 1');
  expect(await queued()).toEqual(keys(1, 2));
});

test('of a table with values that nothing compares, rows are compared as bytes', async () => {
  await alice.query(`create table below (id bigint primary key, doc json, at point, n numeric)`);
  await alice.query(`create or replace view over as select id, n::real as x, doc, at from below`);
  await alice.query(
    `select pgscore.watch('line', 'over', key => 'id', target => 'over_live', on_change_of => '{"below": "id"}')`,
  );
  await alice.query(`insert into below select i, '{"a":1}', '(1,2)', 1.0 from generate_series(1, 20) i`);
  await queued();
  await alice.query(`update below set doc = '{"a":1}', at = '(1,2)', n = 1.0`);
  expect(await queued()).toEqual([]);
  await alice.query(`update below set doc = '{"a": 1}' where id = 3`);
  await alice.query(`update below set n = case when id < 3 then 1.00 else n end`);
  expect(await queued()).toEqual(keys(1, 2, 3));
});

test('a mark that an old snapshot shows is left again, as it may have been taken since', async () => {
  await watched();
  await superuser.query('insert into pgscore_data.watch_to_compare select watch_id from pgscore_data.watch');
  await alice.query('begin isolation level repeatable read');
  await alice.query('select count(*) from rows');
  await marks();
  await alice.query('truncate rows');
  await alice.query('commit');
  expect(await marks()).toBe(1);
});
