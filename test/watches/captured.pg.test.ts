import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';
import { waitFor } from '../support/wait-for.ts';

const database = await cloneDatabase();
const [superuser, alice, writer] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('alice'),
]);

/** Which keys a statement queued. */
async function queuedBy(text: string): Promise<string[]> {
  await superuser.query('truncate pgscore_data.watch_change');
  await alice.query(text);
  const { rows } = await superuser.query<{ key: string }>(
    'select key from pgscore_data.watch_change cross join unnest(keys) key order by key',
  );
  return rows.map(({ key }) => key);
}

beforeAll(async () => {
  await addReadyModel(superuser, 'line');
});

describe('an update queues its row where it changes', () => {
  beforeAll(async () => {
    const segments = `insert into pgscore_data.monitor (model_id, segments) select model_id, '{region}' from pgscore_data.model
      on conflict (model_id) do update set segments = excluded.segments`;
    await superuser.query(segments);
    await alice.query(`create table seen (id bigint primary key, x real, at timestamptz, region text, note text);
      insert into seen select i, i, now(), 'north', 'a' from generate_series(1, 5) i`);
    await alice.query(`select pgscore.watch('line', 'seen', target => 'seen_live', event_time => 'at')`);
  });

  test.each([
    ['a feature', 'x = x + 1', ['1']],
    ['the event time', `at = at + interval '1 s'`, ['1']],
    ['a segment', `region = 'south'`, ['1']],
    ['the key', 'id = 100', ['1', '100']],
    ['a column that nobody reads', `note = 'b'`, []],
    ['nothing', 'x = x, at = at, region = region', []],
  ])('%s', async (_what, set, keys) => {
    await alice.query('begin');
    expect(await queuedBy(`update seen set ${set} where id = 1; commit`)).toEqual(keys);
    await alice.query('update seen set id = 1 where id = 100');
  });
});

describe('an update of a table below a view queues its row', () => {
  const NOTE = `note = 'b'`;

  beforeAll(async () => {
    await alice.query(`create table base (id bigint primary key, x real, factor real, note text) partition by range (id);
      create table base_part (note text, gone int, factor real, x real, id bigint not null);
      alter table base_part drop gone;
      alter table base attach partition base_part for values from (1) to (100);
      insert into base select i, i, 2, 'a' from generate_series(1, 5) i;
      create function same(x real) returns real language sql immutable as 'select x';
      create operator === (function = float4eq, leftarg = real, rightarg = real);
      create view read as select id, x from base where factor > 0;
      create view above_read as select r.id, r.x + 1 as x from read r join base b using (id) order by b.factor;
      create view whole as select id, x, to_json(b) as doc from base b;
      create view above_whole as select id, x from whole;
      create view calling as select id, same(x) as x from base;
      create view operating as select id, x from base where x === x;
      create view placed as select id, x, tableoid from base;
      create view counting as select id, count(*)::real as x from base group by id`);
  });

  beforeEach(() => alice.query(`update base set x = 1, factor = 2, note = 'a' where id = 1`));

  test.each([
    ['where the view reads what changed', 'read', 'x = 2', ['1']],
    ['where a condition reads it', 'read', 'factor = 3', ['1']],
    ['not where it reads other columns', 'read', NOTE, []],
    ['where a view below reads it', 'above_read', 'x = 2', ['1']],
    ['where it is sorted by it', 'above_read', 'factor = 3', ['1']],
    ['not where both views read other columns', 'above_read', NOTE, []],
    ['where whole rows are read', 'whole', NOTE, ['1']],
    ['where a view below reads whole rows', 'above_whole', NOTE, ['1']],
    ['where a function may read more', 'calling', NOTE, ['1']],
    ['where the function of an operator may', 'operating', NOTE, ['1']],
    ['where a system column is read', 'placed', NOTE, ['1']],
    ['not where its rows are counted', 'counting', NOTE, []],
    ['where its key changes', 'counting', 'id = 50', ['1', '50']],
  ])('%s', async (_what, view, set, keys) => {
    const watch = `select pgscore.watch('line', '${view}', key => 'id', target => 'base_live', on_change_of => '{"base": "id"}')`;
    await alice.query(watch);
    for (const table of ['base', 'base_part']) {
      await alice.query('begin');
      expect(await queuedBy(`update ${table} set ${set} where id = 1; commit`)).toEqual(keys);
      await alice.query('update base set id = 1 where id = 50');
      await alice.query(`update base set x = 1, factor = 2, note = 'a' where id = 1`);
    }
    await alice.query(`select pgscore.unwatch('base_live')`);
  });

  test.each(['read', 'base'])('whatever changed, where a policy may hide it, of %s', async (source) => {
    const watch = `select pgscore.watch('line', '${source}', key => 'id', target => 'base_live', rls => 'filter', on_change_of => '{"base": "id"}')`;
    await alice.query(watch);
    expect(await queuedBy(`update base set ${NOTE} where id = 1`)).toEqual(['1']);
    await alice.query(`select pgscore.unwatch('base_live')`);
  });
});

test('statements of many rows are quick in a session whose plans were made for single rows', async () => {
  await alice.query(`create table bulk (id bigint primary key, x real);
    insert into bulk select i, i from generate_series(1, 20000) i`);
  await alice.query(`select pgscore.watch('line', 'bulk', target => 'bulk_live')`);
  for (let id = 1; id <= 12; id += 1) await alice.query('update bulk set x = x + 1 where id = $1', [id]);
  const began = performance.now();
  expect(await queuedBy('update bulk set x = x + 1')).toHaveLength(20_000);
  // A plan of nested loops takes minutes.
  expect(performance.now() - began).toBeLessThan(20_000);
});

describe('a table that others hold locked', () => {
  test('is watched when they are done; meanwhile its writers do not queue, and watch() gives up with a reason', async () => {
    await alice.query(`create table busy (id bigint primary key, x real); insert into busy values (1, 1)`);
    await writer.query('begin; insert into busy values (2, 2)');
    const third = await database.client('alice');
    const waits: number[] = [];
    const watching = refusal(alice, `select pgscore.watch('line', 'busy', target => 'busy_live')`);
    let isWatching = true;
    void watching.finally(() => (isWatching = false));
    while (isWatching) {
      const began = performance.now();
      await third.query('insert into busy select coalesce(max(id), 0) + 10, 1 from busy');
      waits.push(performance.now() - began);
    }
    expect(await watching).toMatchObject({
      code: '55P03',
      message: expect.stringContaining('busy'),
      hint: expect.stringContaining('transactions have ended'),
    });
    expect(waits.length).toBeGreaterThan(20);
    expect(Math.max(...waits)).toBeLessThan(2000);
    await writer.query('commit');
    await alice.query(`select pgscore.watch('line', 'busy', target => 'busy_live')`);
    expect(await queuedBy('insert into busy values (3, 3)')).toEqual(['3']);
  });

  test('is watched by the call that met the lock, if that goes within seconds', async () => {
    await alice.query('create table released (id bigint primary key, x real)');
    await writer.query('begin; insert into released values (1, 1)');
    const watching = alice.query(`select pgscore.watch('line', 'released', target => 'released_live') as capture`);
    const third = await database.client();
    const waits = `select from pg_stat_activity
      where datname = current_database() and query like '%released_live%' and wait_event = 'PgSleep'`;
    await waitFor(async () => (await third.query(waits)).rowCount === 1, { message: 'watch() to meet the lock' });
    await writer.query('commit');
    expect((await watching).rows).toEqual([{ capture: 'triggers' }]);
    expect(await queuedBy('insert into released values (2, 2)')).toEqual(['2']);
  });
});
