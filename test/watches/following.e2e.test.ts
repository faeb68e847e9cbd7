import { beforeAll, expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest, differences } from './watching.ts';

const { ada, alice, bob, superuser } = await scoreFixture();
await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');

/** Adds flowers with the ids of a range. */
async function plant(from: number, to: number): Promise<void> {
  await alice.query(
    `insert into flowers select i, 4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10) from generate_series($1::int, $2::int) i`,
    [from, to],
  );
}

/** How many keys the queue got through a statement. */
async function queuedBy(statement: string): Promise<number> {
  await alice.query('begin');
  await alice.query(statement);
  const { rows } = await alice.query<{ pending: string }>(`select sum(pending) as pending from pgscore.watches`);
  await alice.query('rollback');
  return Number(rows[0]?.pending);
}

async function scored(): Promise<{ rows_scored: number; rows_unchanged: number }> {
  const { rows } = await alice.query(
    `select rows_scored::int, rows_unchanged::int from pgscore.watches where target = 'alice.live'`,
  );
  return rows[0];
}

beforeAll(async () => {
  await alice.query(
    `create table flowers (id bigint primary key, sepal_length real, sepal_width real, petal_length real, petal_width real, note text, data json)`,
  );
  await plant(1, 3000);
  const { rows } = await alice.query(`select pgscore.watch('iris', 'flowers', target => 'live') as capture`);
  expect(rows).toEqual([{ capture: 'triggers' }]);
  await atRest(alice, 'alice.live');
});

test('rows that were there before the watch are scored', async () => {
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
});

test('rows that come, change, get another key and go are followed, in single and in bulk statements', async () => {
  await alice.query(`insert into flowers values (10001, 5, 3, 4, 1.2), (10002, 6, 3, 5, 2)`);
  await alice.query(`update flowers set petal_length = 6, petal_width = 2.3 where id = 1`);
  await alice.query(`delete from flowers where id between 10 and 20`);
  await alice.query(`update flowers set id = 20000 where id = 30`);
  await alice.query(`update flowers set petal_length = 7 - petal_length where id > 40`);
  await plant(30001, 34000);
  await alice.query(
    `insert into flowers values (1, 5, 3, 4, 1.2), (35000, 5, 3, 4, 1) on conflict (id) do update set petal_length = 2`,
  );
  await alice.query(`merge into flowers f using (values (2, 3.5::real), (35001, 1.5)) s (id, x) on f.id = s.id
    when matched then update set petal_length = s.x when not matched then insert values (s.id, 5, 3, s.x, 1)`);
  await atRest(alice, 'alice.live');
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
});

test('NULL, 0, NaN and infinity are different values of a feature', async () => {
  await alice.query(
    `insert into flowers values (90001, 5, 3, null, 1.2), (90002, 5, 3, 0, 1.2), (90003, 5, 3, 'nan', 1.2)`,
  );
  await atRest(alice, 'alice.live');
  await alice.query(
    `update flowers set petal_length = case id when 90001 then 0 when 90003 then 'infinity'::real end where id > 90000`,
  );
  await atRest(alice, 'alice.live');
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
  await alice.query('delete from flowers where id > 90000');
});

test('a rollback leaves nothing, and a savepoint only what was kept', async () => {
  await alice.query('begin; delete from flowers where id < 100; rollback');
  await alice.query(`begin; insert into flowers values (40001, 5, 3, 4, 1); savepoint s; insert into flowers values (40002, 5, 3, 4, 1);
    rollback to s; commit`);
  await atRest(alice, 'alice.live');
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
});

test('a two-phase transaction counts when it commits', async () => {
  await alice.query(`begin; insert into flowers values (50001, 5, 3, 4, 1); prepare transaction 'watched'`);
  await alice.query('insert into flowers values (50002, 5, 3, 4, 1)');
  await waitFor(async () => (await alice.query('select from live where id = 50002')).rowCount === 1);
  await atRest(alice, 'alice.live');
  expect((await alice.query('select from live where id = 50001')).rowCount).toBe(0);
  await alice.query(`commit prepared 'watched'`);
  await waitFor(async () => (await alice.query('select from live where id = 50001')).rowCount === 1);
});

test('an update of columns that nobody reads queues nothing, and one that changes a feature queues its row', async () => {
  expect(await queuedBy(`update flowers set note = 'x', data = '{"a": 1}'`)).toBe(0);
  expect(await queuedBy(`update flowers set petal_length = petal_length`)).toBe(0);
  expect(await queuedBy(`update flowers set petal_length = petal_length + 1 where id = 2`)).toBe(1);
  expect(await queuedBy(`update flowers set id = -id where id = 2`)).toBe(2);
  expect(await queuedBy(`delete from flowers where id between 100 and 199`)).toBe(100);
});

test('a row that is queued without a change is neither scored nor written', async () => {
  const before = await scored();
  await alice.query(`update flowers set petal_length = petal_length + 1 where id = 2`);
  await alice.query(`begin; update flowers set petal_length = petal_length + 1 where id between 200 and 209;
    update flowers set petal_length = petal_length - 1 where id between 200 and 209; commit`);
  await atRest(alice, 'alice.live');
  const after = await scored();
  expect(after.rows_scored - before.rows_scored).toBe(1);
  expect(after.rows_unchanged - before.rows_unchanged).toBe(10);
});

test('a deleted row leaves the target and stays in its history', async () => {
  await alice.query('delete from flowers where id = 500');
  await atRest(alice, 'alice.live');
  expect((await alice.query('select from live where id = 500')).rowCount).toBe(0);
  expect((await alice.query('select from live_history where id = 500')).rowCount).toBeGreaterThan(0);
});

test('replaced predictions leave the history when they are counted, but for the last of a row that is gone', async () => {
  const ofTwo = async (id: number) => (await alice.query('select from live_history where id = $1', [id])).rowCount;
  await alice.query('update flowers set petal_length = petal_length + 1 where id = 2');
  await atRest(alice, 'alice.live');
  await waitFor(async () => {
    await superuser.query('update pgscore_data.watch set prune_after = null');
    return (await ofTwo(2)) === 1;
  });
  expect(await ofTwo(500)).toBe(1);
});

test('TRUNCATE empties the target, and its rows stay in the history', async () => {
  const { rowCount: there } = await alice.query('select from live');
  await alice.query('truncate flowers');
  await waitFor(async () => (await alice.query('select from live limit 1')).rowCount === 0);
  expect(there).toBeGreaterThan(0);
  expect((await alice.query('select distinct id from live_history')).rowCount).toBeGreaterThanOrEqual(there ?? 0);
  await plant(1, 50);
  await atRest(alice, 'alice.live');
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
});

test('a paused watch scores nothing, and catches up when it goes on', async () => {
  await alice.query(`select pgscore.pause_watch('live')`);
  await alice.query(`insert into flowers values (60001, 5, 3, 4, 1)`);
  expect((await alice.query(`select state, pending from pgscore.watches`)).rows).toEqual([
    { state: 'paused', pending: '1' },
  ]);
  await alice.query(`select pgscore.resume_watch('live')`);
  await waitFor(async () => (await alice.query('select from live where id = 60001')).rowCount === 1);
});

test('a channel hears of each publication', async () => {
  const heard: string[] = [];
  bob.on('notification', ({ payload }) => heard.push(payload ?? ''));
  await bob.query('listen flowers_scored');
  await alice.query(`select pgscore.watch('iris', 'flowers', target => 'live', notify => 'flowers_scored')`);
  await atRest(alice, 'alice.live');
  await alice.query(`insert into flowers values (70001, 5, 3, 4, 1), (70002, 5, 3, 4, 1)`);
  await waitFor(() => heard.length > 0);
  expect(JSON.parse(heard[0] ?? '{}')).toEqual({ target: 'alice.live', rows: 2, run: expect.any(Number) });
});

test('a new champion scores all rows again', async () => {
  await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
  await ada.query(`select pgscore.promote('iris@2')`);
  await waitFor(
    async () => (await alice.query(`select from live where model_version <> 'iris@2' limit 1`)).rowCount === 0,
  );
  await atRest(alice, 'alice.live');
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
});

test('a watch that comes to read another table leaves no triggers on the one before', async () => {
  await alice.query('create table other_flowers (like flowers including all)');
  await alice.query('insert into other_flowers select * from flowers where id < 20');
  await alice.query(`select pgscore.watch('iris', 'other_flowers', target => 'live')`);
  const triggers = `select tgname from pg_trigger where tgrelid = $1::regclass`;
  expect((await alice.query(triggers, ['flowers'])).rows).toEqual([]);
  expect((await alice.query(triggers, ['other_flowers'])).rowCount).toBe(4);
  await atRest(alice, 'alice.live');
  expect(await differences(alice, 'iris', 'other_flowers', 'live')).toEqual([]);
  await alice.query(`select pgscore.watch('iris', 'flowers', target => 'live')`);
  await atRest(alice, 'alice.live');
});

test('a key that the collation of its column takes for another is another row', async () => {
  await superuser.query(
    `create collation alice.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
  );
  await alice.query(`create table varieties (name text collate any_case, year int, sepal_length real, sepal_width real,
    petal_length real, petal_width real, primary key (name, year))`);
  await alice.query(`insert into varieties select 'rosa', i, 5, 3, 4, 1 from generate_series(1, 150) i`);
  await alice.query(`select pgscore.watch('iris', 'varieties', target => 'varieties_live')`);
  await atRest(alice, 'alice.varieties_live');
  // As where a row was deleted and came back in other letters, and the first change is taken last.
  for (const most of [1, 150]) {
    await superuser.query(
      `insert into pgscore_data.watch_change (watch_id, keys)
       select watch_id, array(select array['ROSA', i::text]::text from generate_series(1, $1) i) from pgscore_data.watch
        where source = 'alice.varieties'`,
      [most],
    );
    await atRest(alice, 'alice.varieties_live');
  }
  expect((await alice.query(`select from varieties_live where name = 'rosa'`)).rowCount).toBe(150);
  await alice.query(`select pgscore.unwatch('varieties_live')`);
});

test('without its watch a table has no triggers, and the target keeps its predictions', async () => {
  await alice.query(`select pgscore.unwatch('live')`);
  expect((await alice.query(`select tgname from pg_trigger where tgrelid = 'flowers'::regclass`)).rows).toEqual([]);
  await alice.query(`insert into flowers values (80001, 5, 3, 4, 1)`);
  expect((await alice.query('select from live')).rowCount).toBeGreaterThan(50);
  expect((await alice.query('select from live where id = 80001')).rowCount).toBe(0);
});
