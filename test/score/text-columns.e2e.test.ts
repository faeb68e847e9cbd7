import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { classic, DataType, floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada, alice } = await scoreFixture();
const another = await database.client('alice');

/** Three classes of how near a tone's number is to theirs. */
function toneClasses(): Uint8Array {
  return onnxModel({
    metadata: { 'pgscore.features': '["tone"]', 'pgscore.task': 'multiclass', 'pgscore.class_labels': '["r","g","b"]' },
    inputs: [tensorValue('tone', [null, 1], DataType.STRING)],
    outputs: [tensorValue('probabilities', [null, 3])],
    tensors: [floats('numbers', [1, 3], [1, 2, 3])],
    nodes: [
      classic('LabelEncoder', ['tone'], ['x'], {
        keys_strings: ['red', 'green', 'blue'],
        values_floats: [1, 2, 3],
        default_float: 0,
      }),
      node('Sub', ['x', 'numbers'], ['distance']),
      node('Mul', ['distance', 'distance'], ['square']),
      node('Neg', ['square'], ['closeness']),
      node('Softmax', ['closeness'], ['probabilities'], { axis: 1 }),
    ],
  });
}

/** All ways to ask of the rows that FROM calls r. */
const WAYS = {
  'score()': (from: string) => `select score('kinds', r) from ${from}`,
  'predict()': (from: string) => `select pgscore.predict('kinds', r) from ${from}`,
  'classify()': (from: string) => `select pgscore.classify('tones', r) from ${from}`,
  'score() of a class': (from: string) => `select score('tones', r, class => 'r') from ${from}`,
  'score_rows()': (from: string) => `select s.score from pgscore.score_rows('kinds', array(select r from ${from})) s`,
};

/** Of a subquery only score_rows() can have none: PL/pgSQL takes no array of them. */
const IN_A_TABLE = (type: string) => `alice."of_${type}" r`;
const IN_A_SUBQUERY = (type: string) => `(select * from alice."of_${type}" offset 0) r`;
const OTHER_TYPES = ['date', 'uuid', 'jsonb', 'numeric', 'alice.day'];

beforeAll(async () => {
  await deployBytes(ada, 'kinds', weightedModel({ number: 'float64', tone: 'string' }));
  await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }), { nulls: 'nan' });
  await deployBytes(ada, 'tones', toneClasses());
  await alice.query(`create type alice.hue as enum ('red', 'green')`);
  await alice.query(`create domain alice.shade as text; create domain alice.day as date`);
  for (const [type, value] of Object.entries({
    date: `'2026-01-01'`,
    'alice.day': `'2026-01-01'`,
    uuid: 'gen_random_uuid()',
    jsonb: `'"red"'`,
    numeric: `'NaN'`,
    'alice.hue': `'red'`,
    'alice.shade': `'red'`,
    'char(9)': `'red'`,
    varchar: `'red'`,
    text: `'red'`,
    name: `'red'`,
  })) {
    const create = `create table alice."of_${type}" as select 0.5::float8 as number, ${value}::${type} as tone, current_date as at`;
    await alice.query(create);
  }
});

describe.each([['native'], ['online']])('where it is %s', (execution) => {
  beforeAll(async () => {
    const set = `set pgscore.execution = ${execution}`;
    await alice.query(set);
  });

  describe.each(Object.entries(WAYS))('%s', (name, way) => {
    test.each(OTHER_TYPES)('refuses a %s for a text, of a table and of a subquery', async (type) => {
      const refused = {
        code: '42804',
        message: `column "tone" of the row is ${type}, and feature "tone" is string`,
        hint: expect.stringMatching(/^Score a view that gives .* as tone; select \* from pgscore.feature_casts;/),
      };
      expect(await refusal(alice, way(IN_A_TABLE(type)))).toMatchObject(refused);
      if (name !== 'score_rows()') expect(await refusal(alice, way(IN_A_SUBQUERY(type)))).toMatchObject(refused);
    });

    test('takes each kind of text, of a table and of a subquery', async () => {
      const answers = async (from: string) => JSON.stringify((await alice.query(way(from))).rows);
      const expected = await answers('alice.of_text r');
      for (const type of ['alice.hue', 'alice.shade', 'char(9)', 'varchar', 'name']) {
        expect([type, await answers(IN_A_TABLE(type))]).toEqual([type, expected]);
        if (name !== 'score_rows()') expect([type, await answers(IN_A_SUBQUERY(type))]).toEqual([type, expected]);
      }
    });
  });

  test('a text is no number, also where it is NaN', async () => {
    await alice.query(`drop table if exists alice.nan; create table alice.nan as select 'NaN'::text as a`);
    const refused = { code: '42804', message: 'column "a" of the row is text, and feature "a" is float64' };
    expect(await refusal(alice, `select score('sum', n) from alice.nan n`)).toMatchObject(refused);
    expect(await refusal(alice, `select score('sum', r) from (select * from alice.nan offset 0) r`)).toMatchObject(
      refused,
    );
    expect(await refusal(alice, `select pgscore.predict('sum', n) from alice.nan n`)).toMatchObject(refused);
    expect(
      await refusal(alice, `select s.score from pgscore.score_rows('sum', array(select n from alice.nan n)) s`),
    ).toMatchObject(refused);
  });

  test('many rows are looked at as few are', async () => {
    const rows = (from: string) =>
      `select count(*) from pgscore.score_rows('kinds', array(select r from ${from}, generate_series(1, 200))) s`;
    const refused = { code: '42804', message: 'column "tone" of the row is date, and feature "tone" is string' };
    expect(await refusal(alice, rows(IN_A_TABLE('date')))).toMatchObject(refused);
    expect((await alice.query(rows(IN_A_TABLE('alice.hue')))).rows).toEqual([{ count: '200' }]);
  });

  test.each([
    ['a constant', `score('kinds', k)`],
    ['a parameter', 'score($1, k)'],
  ])('a statement that is kept, whose model is %s, goes by the columns as they are', async (_, score) => {
    await alice.query(
      `drop table if exists alice.kept; create table alice.kept as select 1::float8 as number, 'red' as tone`,
    );
    await alice.query('deallocate all; set plan_cache_mode = force_generic_plan');
    const prepare = `prepare kept(text) as select ${score} as score from alice.kept k`;
    await alice.query(prepare);
    const call = `execute kept('kinds')`;
    const scores = async () => (await alice.query(call)).rows;
    expect(await scores()).toEqual([{ score: 11 }]);
    await another.query('alter table alice.kept alter number type int');
    expect(await scores()).toEqual([{ score: 11 }]);
    await another.query(`alter table alice.kept alter number type text using '7'`);
    expect((await refusal(alice, call)).message).toBe(
      'column "number" of the row is text, and feature "number" is float64',
    );
    await another.query(
      'alter table alice.kept drop number, add number float8 default 5, alter tone type date using current_date',
    );
    expect((await refusal(alice, call)).message).toBe('column "tone" of the row is date, and feature "tone" is string');
    await another.query('alter table alice.kept drop tone');
    expect((await refusal(alice, call)).code).toBe('42703');
    await another.query(`alter table alice.kept add tone text default 'green'`);
    expect(await scores()).toEqual([{ score: 25 }]);
  });
});

test('it is the column that the model takes, by its name in any case, and no other', async () => {
  await alice.query(`create table alice.cases as select 1::float8 as number, current_date as "Tone"`);
  expect((await refusal(alice, `select score('kinds', c) from alice.cases c`)).message).toContain('column "Tone"');
  await alice.query(`alter table alice.cases add tone text default 'red'`);
  expect((await alice.query(`select score('kinds', c) from alice.cases c`)).rows).toEqual([{ score: 11 }]);
});

test('a function goes by the columns as they are, too, also by one that was padded', async () => {
  await alice.query(`create table alice.varied as select 1::float8 as number, 'red' as tone;
    create function alice.by_variable() returns float8 language plpgsql as 'declare v alice.varied; begin select * into v from alice.varied; return score(''kinds'', v); end';
    create function alice.by_argument(v alice.varied) returns float8 language plpgsql as 'begin return score(''kinds'', v); end';
    set plan_cache_mode = force_generic_plan;
    prepare by_parameter(jsonb) as select score('kinds', jsonb_populate_record(null::alice.varied, $1))`);
  const calls = [
    'select alice.by_variable() as score',
    'select alice.by_argument(v) as score from alice.varied v',
    `execute by_parameter('{"number": 1, "tone": "red"}')`,
  ];
  for (const execution of ['native', 'online']) {
    const set = `set pgscore.execution = ${execution}`;
    await alice.query(set);
    for (const call of calls) expect([call, (await alice.query(call)).rows]).toEqual([call, [{ score: 11 }]]);
    await another.query(`alter table alice.varied alter tone type date using '2026-01-01'`);
    for (const call of calls.slice(0, 2))
      expect([call, (await refusal(alice, call)).message]).toEqual([
        call,
        'column "tone" of the row is date, and feature "tone" is string',
      ]);
    await another.query(`alter table alice.varied alter tone type char(7) using 'red', alter number type numeric`);
    for (const call of calls) expect([call, (await alice.query(call)).rows]).toEqual([call, [{ score: 11 }]]);
    await another.query(`alter table alice.varied alter tone type text, alter number type float8`);
    await another.query(`update alice.varied set tone = rtrim(tone)`);
  }
});

test.each([['native'], ['online']])('columns that the model does not take are no matter, %s', async (execution) => {
  const set = `set pgscore.execution = ${execution}`;
  await alice.query(set);
  await alice.query(
    `drop table if exists alice.odd; create table alice.odd as select 1::float8 as number, 'red' as tone, '{}'::aclitem[] as unsent, 'NaN'::text as more`,
  );
  const each = `select score('kinds', o), (pgscore.predict('kinds', o) ->> 'value')::float8 as value, (select s.score from pgscore.score_rows('kinds', array[o]) s) as rows from alice.odd o`;
  expect((await alice.query(each)).rows).toEqual([{ score: 11, value: 11, rows: 11 }]);
});

test('a literal of a row is a text', async () => {
  await deployBytes(ada, 'unnamed', weightedModel({ f1: 'float64', f2: 'string' }));
  expect((await alice.query(`select score('unnamed', row(1, 'red'))`)).rows).toEqual([{ score: 11 }]);
});

test.each([
  ['jsonb', `'"NaN"'`],
  ['xml', `'NaN'`],
  ['text[]', `'{NaN}'`],
])('a %s that is NaN is no number', async (type, value) => {
  const given = `(select ${value}::${type} as a offset 0) r`;
  const call = `select score('sum', r) from ${given}`;
  expect((await refusal(alice, call)).code).toBe('42804');
});

test('who may not use the model is told so, whatever her columns are', async () => {
  await deployBytes(ada, 'hers', weightedModel({ number: 'float64', tone: 'string' }));
  await ada.query(`select pgscore.grant_model('hers', 'pgscore_deployer')`);
  await ada.query(`select pgscore.revoke_model('hers', 'pgscore_user')`);
  for (const row of ['r', 'to_jsonb(r)']) {
    const table = `select score('hers', ${row}) from alice.of_date r`;
    expect((await refusal(alice, table)).code).toBe('42501');
    const subquery = `select pgscore.predict('hers', ${row}) from (select * from alice.of_date offset 0) r`;
    expect((await refusal(alice, subquery)).code).toBe('42501');
  }
});

test('another model than the one that a table is bound to looks at its columns, too', async () => {
  await alice.query(`create table alice.bound as select 1::float8 as a, 1::float8 as number, current_date as tone`);
  await alice.query(`grant usage on schema alice to pgscore_owner`);
  await alice.query(`select pgscore.bind('sum', 'alice.bound')`);
  expect((await alice.query(`select score('sum', b) from alice.bound b`)).rows).toEqual([{ score: 1 }]);
  expect((await refusal(alice, `select score('kinds', b) from alice.bound b`)).code).toBe('42804');
});

test('a session that scored a table settles it once more when the table is altered, not for each row', async () => {
  await alice.query('set pgscore.execution = native');
  await alice.query(
    `create table alice.altered as select g::float8 as number, 'red' as tone from generate_series(1, 100) g`,
  );
  const sum = `select sum(score('kinds', a))::int as sum from alice.altered a`;
  const looks = async () => {
    await superuser.query(`begin; set local track_functions = 'all'; set local pgscore.execution = native`);
    const { rows } = await superuser.query(sum);
    const calls = await superuser.query<{ calls: number }>(
      `select coalesce(sum(calls), 0)::int as calls from pg_stat_xact_user_functions where funcname = '_takes_row'`,
    );
    await superuser.query('commit');
    return [rows[0], calls.rows[0]];
  };
  expect(await looks()).toEqual([{ sum: 6050 }, { calls: 0 }]);
  await another.query('alter table alice.altered add more int');
  expect(await looks()).toEqual([{ sum: 6050 }, { calls: 0 }]);
});

test('an array of a domain over a number is an array of numbers', async () => {
  await deployBytes(ada, 'mean', weightedModel({ v: 3 }));
  await alice.query(
    `create domain alice.positive as int; create table alice.listed as select '{1,2,3}'::alice.positive[] as v`,
  );
  expect((await alice.query(`select score('mean', l) from alice.listed l`)).rows).toEqual([{ score: 2 }]);
});
