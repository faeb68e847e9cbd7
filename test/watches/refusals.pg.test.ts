import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, alice, bob] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('bob'),
]);

beforeAll(async () => {
  await addReadyModel(superuser, 'line');
  await alice.query(`
    create table rows (id bigint primary key, x real, owner_id bigint);
    create table loose (id bigint, x real);
    create table owners (id bigint primary key, factor real, name text);
    create view joined as select r.id, r.x * o.factor as x from rows r join owners o on o.id = r.owner_id;
    create view dated as select id, x * extract(hour from now())::real as x from rows;
    create table floats (id float8 primary key, x real);
    create type color as enum ('red', 'blue');
    create table colors (id color primary key, x real);
    create table taken (id bigint primary key, x real);
    create table dates (id bigint primary key, d date, at timestamptz, "localtime" real);
    create function days_since(d date) returns int language sql stable return current_date - d;
    create function hour_now() returns int language plpgsql stable as $$ begin
      return extract(hour from now()); -- don't say 'it
    end $$;
    create function steady(x real) returns real language plpgsql stable as $$ begin
      return x; -- now() isn't called
    end $$;
    grant usage on schema alice to bob, pgscore_owner, pgscore_service;
    grant select on rows to bob`);
  await alice.query(`select pgscore.watch('line', 'rows', target => 'live')`);
  await alice.query(`create view of_live as select id, score::real as x from live`);
});

test('watch() again is told of nothing, but of another model or version that its target goes on with', async () => {
  await addReadyModel(superuser, 'other');
  const notices: unknown[] = [];
  alice.on('notice', ({ message }) => notices.push(message));
  for (const model of ['line', 'line', 'other', 'line'])
    await alice.query(`select pgscore.watch($1, 'rows', target => 'live')`, [model]);
  expect(notices).toEqual(['the watch of alice.live goes on with other', 'the watch of alice.live goes on with line']);
});

describe('watch() refuses', () => {
  test.each([
    ['a table without a key', `'loose'`, '22023', /no primary key/, /key =>/],
    ['a view without a key', `'joined'`, '22023', /key/, /key =>/],
    ['a key that is no column', `'loose', key => 'no'`, '42703', /"no" does not exist/, /./],
    ['a key of a type that triggers cannot spell', `'floats'`, '42804', /keyed by "id"/, /Watch a view that casts it/],
    ['a key of a type of a user', `'colors'`, '42804', /keyed by "id"/, /Watch a view that casts it/],
    [
      'triggers on a view alone',
      `'joined', key => 'id', capture => 'triggers'`,
      '22023',
      /is no table/,
      /on_change_of/,
    ],
    ['its own target', `'live', key => 'id', target => 'again'`, '42809', /reads predictions/, /what the predictions/],
    ['a view of a target', `'of_live', key => 'id', target => 'again'`, '42809', /reads predictions/, /schedule/],
    [
      'a view that changes with the clock',
      `'dated', key => 'id', on_change_of => '{"rows": "id"}'`,
      '22023',
      /it uses now\(\)/i,
      /rescore_every/,
    ],
    ['a table that does not exist', `'joined', key => 'id', on_change_of => '{"no": "id"}'`, '42P01', /"no"/, /tables/],
    [
      'a column that does not exist',
      `'joined', key => 'id', on_change_of => '{"rows": "no"}'`,
      '42804',
      /"no" is not the key \(id\)/,
      /same types. It has id, x, owner_id/,
    ],
    [
      'a column of another type',
      `'joined', key => 'id', on_change_of => '{"owners": "name"}'`,
      '42804',
      /"name" is not the key/,
      /same types/,
    ],
    [
      'too many columns',
      `'joined', key => 'id', on_change_of => '{"rows": ["id", "owner_id"]}'`,
      '42804',
      /is not the key/,
      /same types/,
    ],
    ['no table at all', `'joined', key => 'id', on_change_of => '{}'`, '22023', /does not map/, /on_change_of =>/],
    [
      'a list of tables',
      `'joined', key => 'id', on_change_of => '["rows"]'`,
      '22023',
      /does not map/,
      /on_change_of =>/,
    ],
    ['a channel of pgscore', `'rows', notify => 'PgScore_x'`, '42602', /cannot be a channel/, /does not begin/],
    ['an empty channel', `'rows', notify => ''`, '42602', /cannot be a channel/, /1 to 63 bytes/],
    ['a channel that is too long', `'rows', notify => repeat('ä', 32)`, '42602', /cannot be a channel/, /63/],
    ['to poll all the time', `'rows', poll_every => '10 ms'`, '22023', /poll_every => '00:00:00.01'/, /00:00:01/],
    ['to poll never', `'rows', poll_every => null`, '22004', /poll_every is NULL/, /30 s/],
    ['to rescore all the time', `'rows', rescore_every => '1 s'`, '22023', /rescore_every/, /00:01:00/],
    ['a history of less than nothing', `'rows', keep_history => '-1 s'`, '22023', /keep_history/, /At least/],
    ['an unknown capture', `'rows', capture => 'wal'`, '22023', /capture => 'wal'/, /'poll'/],
    ['no capture', `'rows', capture => null`, '22023', /capture => NULL/, /'poll'/],
    ['an unknown answer to promotions', `'rows', on_promote => 'no'`, '22023', /on_promote => 'no'/, /'keep'/],
    ['an unknown rls', `'rows', rls => 'no'`, '22023', /rls => 'no'/, /'filter'/],
    ['a source without the features', `'owners', target => 'other'`, '42703', /x/, /./],
  ])('%s', async (_what, call, code, message, hint) => {
    const refused = await refusal(alice, `select pgscore.watch('line', ${call})`);
    expect(refused).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
  });

  test('triggers on a table on which one may not put them, and polls it where the choice is free', async () => {
    await superuser.query('create schema if not exists bob authorization bob');
    const call = `select pgscore.watch('line', 'alice.rows', target => 'of_alice', target_schema => 'bob', capture => $1) as capture`;
    expect(await refusal(bob, call, ['triggers'])).toMatchObject({
      code: '22023',
      message: expect.stringContaining('no trigger on alice.rows'),
      hint: expect.stringContaining(`capture => 'poll'`),
    });
    expect((await bob.query(call, ['auto'])).rows).toEqual([{ capture: 'poll' }]);
  });

  test('triggers on a part of another table, whose writers may name that, and polls it where the choice is free', async () => {
    await alice.query(`create table whole (id bigint primary key, x real) partition by range (id);
      create table part partition of whole for values from (0) to (1000)`);
    const call = `select pgscore.watch('line', 'part', target => 'of_part', capture => $1) as capture`;
    expect(await refusal(alice, call, ['triggers'])).toMatchObject({
      code: '22023',
      message: expect.stringContaining('alice.part is a part of alice.whole'),
    });
    expect((await alice.query(call, ['auto'])).rows).toEqual([{ capture: 'poll' }]);
    expect((await alice.query(call.replace(`'part'`, `'whole'`), ['auto'])).rows).toEqual([{ capture: 'triggers' }]);
  });

  test(`the target of another role, and a name that something else has`, async () => {
    await superuser.query('grant create on schema alice to bob');
    const call = `select pgscore.watch('line', 'alice.rows', target => $1, target_schema => 'alice')`;
    expect(await refusal(bob, call, ['live'])).toMatchObject({ code: '42501', hint: expect.any(String) });
    expect(await refusal(bob, call, ['taken'])).toMatchObject({ code: '42P07', hint: expect.any(String) });
  });

  test('a target that a run writes to', async () => {
    const { rows } = await alice.query(`select pgscore.score_table('line', 'taken', target => 'busy') as run`);
    expect(await refusal(alice, `select pgscore.watch('line', 'taken', target => 'busy')`)).toMatchObject({
      code: '55006',
      message: `run ${rows[0].run} writes to target alice.busy just now`,
      hint: expect.stringContaining(`call pgscore.wait_for_run(${rows[0].run})`),
    });
  });

  test('a target that a schedule writes to', async () => {
    await alice.query(`select pgscore.schedule('nightly', '@daily', 'line', 'taken', target => 'nights')`);
    expect(await refusal(alice, `select pgscore.watch('line', 'taken', target => 'nights')`)).toMatchObject({
      code: '55006',
      message: 'schedule "alice.nightly" writes to target alice.nights',
      hint: expect.stringContaining(`select pgscore.unschedule('alice.nightly');`),
    });
    await alice.query(`select pgscore.unschedule('nightly')`);
  });

  test('a view over a view that changes with the clock, but none that only spells it', async () => {
    await alice.query('create view over_dated as select * from dated');
    const call = (source: string): string =>
      `select pgscore.watch('line', '${source}', key => 'id', target => 'clocked', on_change_of => '{"alice.rows": "id"}') as capture`;
    expect(await refusal(alice, call('over_dated'))).toMatchObject({
      code: '22023',
      hint: expect.stringMatching(/rescore_every/),
    });
    await alice.query(`create view spelled as select r.id, steady(x) as x, 'asked now()' as note, extract(year from age(at, d)) as years
      from rows r join dates using (id) where "localtime" > 0`);
    expect((await alice.query(call('spelled'))).rows).toEqual([{ capture: 'triggers' }]);
    await alice.query(`select pgscore.unwatch('clocked')`);
  });

  test.each([
    ['current_date', 'current_date - d'],
    ['localtime', 'extract(hour from localtime)'],
    ['current_timestamp', 'extract(hour from current_timestamp)'],
    ['clock_timestamp()', 'extract(hour from clock_timestamp())'],
    ['random()', 'random()'],
    ['age((d)::timestamp with time zone)', 'extract(year from age(d))'],
    ['age(at)', 'extract(year from age(at))'],
    ['alice.days_since(date), which uses CURRENT_DATE', 'alice.days_since(d)'],
    ['alice.hour_now(), which uses now()', 'alice.hour_now()'],
  ])('a view that uses %s', async (found, expression) => {
    const create = `create or replace view ticking as select id, (${expression})::real as x from dates`;
    await alice.query(create);
    const refused = await refusal(
      alice,
      `select pgscore.watch('line', 'ticking', key => 'id', target => 'ticks', on_change_of => '{"dates": "id"}')`,
    );
    // Before PostgreSQL 16 a view names the table of each column.
    expect(refused.message.replaceAll('dates.', '').toLowerCase()).toBe(
      `source alice.ticking changes with the clock: it uses ${found}`.toLowerCase(),
    );
    expect(refused.hint).toContain('rescore_every =>');
  });

  test('a model that is not there', async () => {
    expect(await refusal(alice, `select pgscore.watch('no', 'rows')`)).toMatchObject({ code: '42704' });
    expect(await refusal(alice, `select pgscore.watch('line@7', 'rows')`)).toMatchObject({ code: '42704' });
  });
});

describe('what is watched', () => {
  const WATCHED = { message: expect.stringContaining('watch'), hint: expect.stringContaining('pgscore.unwatch(') };

  test.each([
    ['takes no run', `select pgscore.score_table('line', 'rows', target => 'live')`, '55006'],
    ['takes no schedule', `select pgscore.schedule('n', '@daily', 'line', 'rows', target => 'live')`, '55006'],
    ['cannot be dropped', `select pgscore.drop_target('live')`, '55006'],
  ])('as a target %s', async (_what, call, code) => {
    expect(await refusal(alice, call)).toMatchObject({ code, ...WATCHED });
  });

  test('as a model cannot be dropped', async () => {
    const ada = await database.client('ada');
    expect(await refusal(ada, `select pgscore.drop_model('line')`)).toMatchObject({
      code: '2BP01',
      ...WATCHED,
      message: expect.stringContaining('alice.live'),
    });
  });

  test('can be dropped when it is watched no more', async () => {
    await alice.query(`select pgscore.watch('line', 'taken', target => 'passing')`);
    await alice.query(`select pgscore.unwatch('passing')`);
    await alice.query(`select pgscore.drop_target('passing')`);
    expect((await alice.query(`select from pgscore.targets where target = 'alice.passing'`)).rowCount).toBe(0);
  });
});

test.each(['pause_watch', 'resume_watch', 'unwatch'])(
  '%s() of what is not watched, or by others, is refused',
  async (name) => {
    const refused = { code: '42704', hint: expect.stringContaining('pgscore.watches') };
    expect(await refusal(alice, `select pgscore.${name}('no')`)).toMatchObject(refused);
    expect(await refusal(alice, `select pgscore.${name}(null)`)).toMatchObject(refused);
    expect(await refusal(bob, `select pgscore.${name}('alice.live')`)).toMatchObject(refused);
  },
);

test('a watch over more than 5000 partitions is refused, as the service looks at each of them each second', async () => {
  // Partitions of partitions, so that a request which names each level comes to so many by few.
  await alice.query(`do $$ begin
    create table level0 (id bigint, x real) partition by range (id);
    for n in 1..30 loop
      execute format('create table level%s partition of level%s for values from (0) to (1000) partition by range (id)', n, n - 1);
    end loop;
    for n in 0..169 loop execute format('create table leaf%s partition of level30 for values from (%s) to (%s)', n, n, n + 1); end loop;
  end $$`);
  const tables = Array.from({ length: 31 }, (_, n) => ({ table: `alice.level${n}`, key: ['id'] }));
  const request = `insert into pgscore._watch_request (model, target_id, source, arguments, tables, capture, poll_every, on_promote)
    select model, target_id, source, arguments, '${JSON.stringify(tables)}', 'poll', '1 h', 'rescore' from pgscore._watch_request limit 1`;
  expect(await refusal(alice, request)).toMatchObject({
    code: '54000',
    message: 'source and tables have more than 5000 partitions',
  });
});
