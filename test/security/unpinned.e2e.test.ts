import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

/** Operators, functions and types that score() uses, by their names, and whose use raises. */
const OPERATORS = [
  ['=', 'int, int'],
  ['=', 'bigint, int'],
  ['=', 'text, text'],
  ['=', 'name, text'],
  ['=', 'jsonb, jsonb'],
  ['<', 'int, int'],
  ['>', 'int, int'],
  ['&', 'bigint, int'],
] as const;
const FUNCTIONS = [
  'current_setting(text, boolean) returns text',
  'current_setting(text) returns text',
  'row_to_json(record) returns json',
  'to_jsonb(anyelement) returns jsonb',
  'jsonb_typeof(jsonb) returns text',
  'has_function_privilege(regprocedure, text) returns boolean',
];
const TYPES = ['text', 'int4', 'jsonb', 'name', 'regprocedure', 'double precision'];

const CALLS = [
  `pgscore.score('sum', p)`,
  `pgscore.score('sum', pg_catalog.to_jsonb(p))`,
  `pgscore.score('sum', '{"a": 1, "b": 2}')`,
  `pgscore.score('sum', r)`,
  `pgscore.score('words', w)`,
];

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'words', weightedModel({ a: 'float32', tone: 'string' }));
  await alice.query('create table points as select 1::real as a, 2::real as b');
  await alice.query(`create table worded (a real, tone char(8))`);
  await alice.query(`insert into worded values (1, 'red')`);
  await superuser.query('create schema evil authorization alice');
  for (const [index, [name, types]] of OPERATORS.entries()) {
    const [left, right] = types.split(', ');
    const make = `create function evil.op${index}(${types}) returns boolean language plpgsql as 'begin raise exception ''evil'';  end';
      create operator evil.${name} (leftarg = ${left}, rightarg = ${right}, function = evil.op${index})`;
    await alice.query(make);
  }
  for (const signature of FUNCTIONS) {
    const make = `create function evil.${signature} language plpgsql as 'begin raise exception ''evil''; end'`;
    await alice.query(make);
  }
  for (const type of TYPES) {
    const make = `create domain evil."${type}" as pg_catalog.int8 check (value > 1)`;
    await alice.query(make);
  }
});

test.each(['native', 'online'].flatMap((way) => CALLS.map((call) => [way, call] as const)))(
  'what a caller puts in front of pg_catalog is not used by score(): %s, %s',
  async (way, call) => {
    await alice.query("select pg_catalog.set_config('pgscore.execution', $1, false)", [way]);
    const ask = `select ${call} as score from alice.points p, (select a, b from alice.points) r, alice.worded w`;
    const usual = await alice.query(ask);
    // Of its own, since PL/pgSQL looks types up once in a session.
    const caller = await database.client('alice');
    await caller.query("select pg_catalog.set_config('pgscore.execution', $1, false)", [way]);
    await caller.query('set search_path = evil, pg_catalog');
    const hostile = await caller.query(ask);
    await caller.end();
    expect(usual.rows).toEqual([{ score: expect.any(Number) }]);
    expect(hostile.rows).toEqual(usual.rows);
  },
);

test.each(['native', 'online'])('a number is what it is, however few digits a caller wants to see, %s', async (way) => {
  await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
  await alice.query('drop table if exists exact');
  await alice.query(
    `create table exact as select x.*, pgscore.score('sum', x) as score from (select 0.12345678::real as a, 123456.789 as b) x`,
  );
  await alice.query('set extra_float_digits = -15');
  const { rows } = await alice.query(
    `select pgscore.score('sum', e) = e.score as "row", pgscore.score('sum', r) = r.score as record from exact e, (select a, b, score from exact) r`,
  );
  await alice.query('reset extra_float_digits');
  expect(rows).toEqual([{ row: true, record: true }]);
});
