import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { settled, slices, watched } from './watched-segments.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice, bob] = await Promise.all([database.client('ada'), database.client('alice'), database.client('bob')]);

test('predictions that are replaced keep the slices that they were in, and new ones are in theirs', async () => {
  await watched(ada, 'again', ['color']);
  await alice.query(
    `create table again (id int primary key, x float8, color text); insert into again values (1, 1, 'red'), (2, 2, 'red')`,
  );
  await scoreTable(alice, 'again', 'again');
  await alice.query(`update again set color = 'blue' where id = 2`);
  await scoreTable(alice, 'again', 'again');
  await alice.query(`select pgscore.record_label('again', '1', '1'), pgscore.record_label('again', '2', '4')`);
  await settled(superuser);
  expect(await slices(superuser, 'again')).toEqual(['color blue 1', 'color red 3']);
  const { rows } = await superuser.query(
    `select segment_value, n_labeled::int as n, mae from pgscore_bi.regression_performance_monthly where model_name = 'again' order by 1`,
  );
  expect(rows).toEqual([
    { segment_value: 'blue', n: 1, mae: 2 },
    { segment_value: 'red', n: 1, mae: 0 },
    { segment_value: null, n: 2, mae: 1 },
  ]);
});

test('the types of a segment are told as their texts, and a value is cut after 100 characters', async () => {
  await watched(ada, 'typed', ['t', 'v', 'c', 'e', 'b', 'small', 'int', 'big']);
  await alice.query(`create type mood as enum ('glad', 'Grün ☃'); create domain code as varchar(300);
    create table typed (id int primary key, x float8, t text, v code, c char(9), e mood, b boolean, small int2, int int4, big int8);
    insert into typed values (1, 1, '', repeat('ä', 101), 'ab', 'Grün ☃', true, -1, 2147483647, -9223372036854775808),
      (2, 1, 'a "b", {c}\\', repeat('ä', 102), 'ab ', 'glad', false, -1, 1, null)`);
  await scoreTable(alice, 'typed', 'typed');
  await settled(superuser);
  expect(await slices(superuser, 'typed')).toEqual([
    'b false 1',
    'b true 1',
    'big -9223372036854775808 1',
    'big :missing 1',
    'c ab 2',
    'e Grün ☃ 1',
    'e glad 1',
    'int 1 1',
    'int 2147483647 1',
    'small -1 2',
    't  1',
    't a "b", {c}\\ 1',
    `v ${'ä'.repeat(100)} 2`,
  ]);
});

test('of more than 200 values the most frequent of the first run have slices, and each further one is :other', async () => {
  await watched(ada, 'varied', ['v']);
  await alice.query(
    `create table varied (id int primary key, x float8, v int); insert into varied select i, i, i % 199 from generate_series(0, 397) i`,
  );
  await scoreTable(alice, 'varied', 'varied');
  await alice.query(
    `truncate varied; insert into varied select i, i, case when i < 3 then 1000 else 2000 + i end from generate_series(0, 9) i`,
  );
  await scoreTable(alice, 'varied', 'varied');
  await settled(superuser);
  const all = await slices(superuser, 'varied');
  expect(all).toHaveLength(201);
  expect(all.filter((slice) => /^v (:|\d{4})/.test(slice))).toEqual(['v 1000 3', 'v :other 7']);
  expect(await slices(superuser, 'varied')).toContain('v 198 2');
  await alice.query(`select pgscore.record_label('varied', '9', '10')`);
  await settled(superuser);
  const { rows } = await superuser.query(
    `select segment_value, n_labeled::int as n, mae from pgscore_bi.regression_performance_monthly where model_name = 'varied' and n_labeled > 0 and segment_key = 'v'`,
  );
  expect(rows).toEqual([{ segment_value: ':other', n: 1, mae: 1 }]);
});

describe('a segment that cannot be told', () => {
  let notices: string[] = [];

  async function told(
    client: Client,
    model: string,
    source: string,
    options: Record<string, unknown> = {},
  ): Promise<string[]> {
    notices = [];
    client.on('notice', ({ message }) => notices.push(message ?? ''));
    const run = await scoreTable(client, model, source, options);
    client.removeAllListeners('notice');
    expect(run).toMatchObject({ state: 'done', error: null });
    return notices;
  }

  beforeAll(async () => {
    await watched(ada, 'untold', ['absent', 'secret', 'list', 'twice', 'named']);
    await alice.query(`create table untold (id int primary key, x float8, secret text default 'secret', list text[], "Twice" text, "TWICE" text, other text default 'o');
      insert into untold values (1, 1), (2, 2);
      grant usage on schema alice to bob; grant select (id, x, list, "Twice", "TWICE", other) on untold to bob`);
  });

  test('because its column is not there, may not be read, is of another type or one of two, is :missing, and the run is done', async () => {
    const options = { key: 'id', column_map: { named: 'other' } };
    expect(await told(bob, 'untold', 'alice.untold', { ...options, target_schema: 'bob' })).toEqual([
      'segment "absent" cannot be read from alice.untold: there is no such column',
      'segment "secret" cannot be read from alice.untold: permission denied',
      'segment "list" cannot be read from alice.untold: it is text[], and not a text, an enum, a boolean or an integer',
      'segment "twice" cannot be read from alice.untold: more than one column is called so',
    ]);
    await settled(superuser);
    expect(await slices(superuser, 'untold')).toEqual([
      'absent :missing 2',
      'list :missing 2',
      'named o 2',
      'secret :missing 2',
      'twice :missing 2',
    ]);
  });

  test('is told to who may read it', async () => {
    await alice.query('alter table untold add column absent int');
    expect(await told(alice, 'untold', 'untold')).toHaveLength(3);
    await settled(superuser);
    expect(await slices(superuser, 'untold')).toEqual([
      'absent :missing 4',
      'list :missing 4',
      'named :missing 2',
      'named o 2',
      'secret :missing 2',
      'secret secret 2',
      'twice :missing 4',
    ]);
  });
});

test('a cast that the owner of an enum made is not called by who reads it', async () => {
  await watched(ada, 'cast', ['trap']);
  await alice.query(`create type trap as enum ('as it is');
    create function sprung(trap) returns text language plpgsql as $$ begin raise exception 'sprung'; end $$;
    create cast (trap as text) with function sprung(trap);
    create table cast_source (id int primary key, x float8, trap trap); insert into cast_source values (1, 1, 'as it is')`);
  expect(await scoreTable(alice, 'cast', 'cast_source')).toMatchObject({ state: 'done', error: null });
  await settled(superuser);
  expect(await slices(superuser, 'cast')).toEqual(['trap as it is 1']);
});

test('failed rows are in a slice, and runs from before and after have none', async () => {
  await deployBytes(ada, 'halting', weightedModel({ x: 'float32' }));
  await alice.query(
    `create table halting (id int primary key, x float8, v text); insert into halting values (1, 1, 'a'), (2, 1e300, 'a'), (3, 1, 'b')`,
  );
  await scoreTable(alice, 'halting', 'halting');
  await ada.query(`select pgscore.monitor('halting', segments => '{v}')`);
  await scoreTable(alice, 'halting', 'halting');
  await ada.query(`select pgscore.monitor('halting', segments => '{}')`);
  await scoreTable(alice, 'halting', 'halting');
  await settled(superuser);
  const { rows } = await superuser.query(
    `select segment_value, sum(n_predictions)::int as n, sum(n_failed)::int as failed from pgscore_data.cell_volume c
       join pgscore_data.version using (version_id) join pgscore_data.model m using (model_id) join pgscore_data.slice s using (model_id, segment_id)
      where m.name = 'halting' group by 1 order by 1`,
  );
  expect(rows).toEqual([
    { segment_value: 'a', n: 1, failed: 1 },
    { segment_value: 'b', n: 1, failed: 0 },
    { segment_value: null, n: 6, failed: 3 },
  ]);
});

test('the columns of the model are segments by the names that the model gives them, and a schedule takes them, too', async () => {
  await deployBytes(ada, 'mapped', weightedModel({ x: 'string' }));
  await ada.query(`select pgscore.monitor('mapped', segments => '{x}')`);
  await alice.query(`create table mapped (id int primary key, y text); insert into mapped values (1, 'red')`);
  await scoreTable(alice, 'mapped', 'mapped', { column_map: { x: 'y' } });
  await settled(superuser);
  expect(await slices(superuser, 'mapped')).toEqual(['x red 1']);
  await ada.query(`select pgscore.monitor('mapped', segments => '{x,z}')`);
  await alice.query(
    `select pgscore.schedule('mapped', '0 0 1 1 *', model => 'mapped', source => 'mapped', column_map => '{"x": "y", "z": "y"}')`,
  );
});

describe('segments that make no sense are refused', () => {
  beforeAll(() => deployBytes(ada, 'strict', weightedModel({ x: 'float64' })));

  test.each([
    [['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'], 'eight columns are the most, and these are 9'],
    [['a', null], 'they are names of columns, and none is NULL'],
    [[['a', 'b']], 'they are names of columns, and none is NULL'],
    [['a', ''], 'a name is empty'],
    [['a', 'b', 'a'], 'a column is named twice'],
    [['a'.repeat(64)], 'no column has a name of more than 63 bytes'],
  ])('%j', async (segments, why) => {
    expect(await refusal(ada, `select pgscore.monitor('strict', segments => $1)`, [segments])).toMatchObject({
      code: '22023',
      message: `model "strict" cannot have these segments: ${why}`,
      hint: `Name columns of what is scored: segments => array['carrier', 'origin']; for none: segments => '{}'.`,
    });
  });

  test('what is left out stays', async () => {
    await ada.query(`select pgscore.monitor('strict', segments => '{a}')`);
    await ada.query(`select pgscore.monitor('strict', label_maturity => '1 day')`);
    const { rows } = await superuser.query(
      `select segments from pgscore_data.monitor join pgscore_data.model using (model_id) where name = 'strict'`,
    );
    expect(rows).toEqual([{ segments: ['a'] }]);
  });
});
