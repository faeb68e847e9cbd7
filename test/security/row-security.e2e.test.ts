import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, scoreTable, type RunState } from '../support/run.ts';
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
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));

// Everybody sees her own rows of one table; its owner is no requester, and forced policies bind her too.
await superuser.query(`
  create schema shop; grant usage on schema shop to alice, bob, ada;
  create table shop.orders (id int primary key, a real, seller name);
  insert into shop.orders select i, i, case when i % 3 = 0 then 'bob' else 'alice' end from generate_series(1, 9) i;
  alter table shop.orders owner to ada; grant select on shop.orders to alice, bob;
  alter table shop.orders enable row level security;
  create policy own on shop.orders for select using (seller = current_user);
  create table shop.large (like shop.orders including all, filler text);
  insert into shop.large select i, i, case when i % 3 = 0 then 'bob' else 'alice' end, repeat('x', 400) from generate_series(1, 10000) i;
  alter table shop.large enable row level security; grant select on shop.large to alice;
  create policy own on shop.large for select using (seller = current_user)`);

async function keysOf(client: typeof alice, target: string): Promise<number[]> {
  const text = `select id from ${target} order by id`;
  return (await client.query<{ id: number }>(text)).rows.map(({ id }) => id);
}

describe('a source with row-level policies', () => {
  test('fails the run by default, since rows would be missing without a word', async () => {
    const run = await scoreTable(alice, 'same', 'shop.orders', { target: 'by_default' });
    expect(run).toMatchObject({
      state: 'failed',
      error_code: 'permission_denied',
      error: expect.stringMatching(/"alice" may not read "shop\.orders".*row-level security/),
      remedy: expect.stringContaining(`rls => 'filter'`),
    });
    expect(await keysOf(alice, 'by_default')).toEqual([]);
  });

  test('is filtered for the requester where she asks for that', async () => {
    expect(await scoreTable(alice, 'same', 'shop.orders', { target: 'mine', rls: 'filter' })).toMatchObject({
      state: 'done',
      rows_done: '6',
    });
    expect(await keysOf(alice, 'mine')).toEqual([1, 2, 4, 5, 7, 8]);
    expect(await scoreTable(bob, 'same', 'shop.orders', { target: 'mine', rls: 'filter' })).toMatchObject({
      state: 'done',
      rows_done: '3',
    });
    expect(await keysOf(bob, 'mine')).toEqual([3, 6, 9]);
  });

  test('and for each of two requesters who take turns on one connection', async () => {
    for (let turn = 0; turn < 5; turn += 1) {
      const runs = [
        scoreTable(alice, 'same', 'shop.orders', { target: 'mine', rls: 'filter' }),
        scoreTable(bob, 'same', 'shop.orders', { target: 'mine', rls: 'filter' }),
      ];
      expect((await Promise.all(runs)).map(({ rows_done }) => rows_done)).toEqual(['6', '3']);
    }
    expect(await keysOf(alice, 'mine')).toEqual([1, 2, 4, 5, 7, 8]);
    expect(await keysOf(bob, 'mine')).toEqual([3, 6, 9]);
  });

  test('is filtered in shards of a large table as well', async () => {
    const run = await scoreTable(alice, 'same', 'shop.large', { rls: 'filter' });
    expect(run).toMatchObject({ state: 'done', rows_done: '6667' });
    const { rows } = await alice.query(
      'select count(*)::int as rows, count(*) filter (where id % 3 = 0)::int as others from large_scores',
    );
    expect(rows).toEqual([{ rows: 6667, others: 0 }]);
  });

  test('is filtered behind a view by whose rights the view has', async () => {
    await superuser.query(`create view shop.mine with (security_invoker) as select id, a from shop.orders; grant select on shop.mine to alice, bob;
      create view shop.all_of_it as select id, a from shop.orders; alter view shop.all_of_it owner to ada; grant select on shop.all_of_it to alice`);
    expect(await scoreTable(alice, 'same', 'shop.mine', { key: 'id' })).toMatchObject({
      state: 'failed',
      error_code: 'permission_denied',
    });
    expect(await scoreTable(alice, 'same', 'shop.mine', { key: 'id', rls: 'filter' })).toMatchObject({
      state: 'done',
      rows_done: '6',
    });
    // The view is ada's, whom her own table's policies do not bind: what she shows through it is hers to decide.
    expect(await scoreTable(alice, 'same', 'shop.all_of_it', { key: 'id' })).toMatchObject({
      state: 'done',
      rows_done: '9',
    });
  });

  test('is no obstacle to its owner, unless the policies are forced', async () => {
    expect(await scoreTable(ada, 'same', 'shop.orders')).toMatchObject({ state: 'done', rows_done: '9' });
    await superuser.query('alter table shop.orders force row level security');
    expect(await scoreTable(ada, 'same', 'shop.orders')).toMatchObject({
      state: 'failed',
      error_code: 'permission_denied',
    });
  });
});

describe('rights that are taken away between the request and the run', () => {
  /** The request waits for its commit, and so does what takes the right away. */
  async function runAfter(change: string): Promise<RunState> {
    await superuser.query(
      'grant select on shop.orders, shop.large to bob; alter table shop.orders disable row level security',
    );
    await bob.query('begin');
    const { rows } = await bob.query<{ run: string }>(
      `select pgscore.score_table('same', 'shop.orders', target => 'mine') as run`,
    );
    await superuser.query(change);
    await bob.query('commit');
    const [row] = rows;
    if (row === undefined) throw new Error('no run');
    return endOfRun(bob, row.run);
  }

  test.each([
    ['the right to read', 'revoke select on shop.orders from bob'],
    ['the right to read one column', 'revoke select on shop.orders from bob; grant select (id) on shop.orders to bob'],
    ['a policy that was switched on', 'alter table shop.orders enable row level security'],
  ])('fail it and publish nothing: %s', async (_, change) => {
    const before = (await bob.query('select * from mine order by id')).rows;
    const run = await runAfter(change);
    expect(run).toMatchObject({ state: 'failed', error_code: 'permission_denied', published: null });
    expect(run.error).toContain('"bob" may not read "shop.orders"');
    expect((await bob.query('select * from mine order by id')).rows).toEqual(before);
  });

  test('fail a run in shards too', async () => {
    await superuser.query('alter table shop.large disable row level security; grant select on shop.large to bob');
    await bob.query('begin');
    const { rows } = await bob.query<{ run: string }>(`select pgscore.score_table('same', 'shop.large') as run`);
    await superuser.query('revoke select on shop.large from bob');
    await bob.query('commit');
    const run = await endOfRun(bob, rows[0]?.run ?? '');
    expect(run).toMatchObject({ state: 'failed', error_code: 'permission_denied', published: null });
    expect((await bob.query('select * from large_scores')).rows).toEqual([]);
  });
});
