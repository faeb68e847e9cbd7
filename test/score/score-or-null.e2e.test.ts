import { beforeAll, describe, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { classic, DataType, floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, ada, alice, bob } = await scoreFixture();
const serverVersion = await serverVersionOf(alice);

/** A regression of one text, which its encoder has to know. */
function knownTexts(): Uint8Array {
  return onnxModel({
    metadata: { 'pgscore.features': '["tone"]' },
    inputs: [tensorValue('tone', [null, 1], DataType.STRING)],
    outputs: [tensorValue('y', [null, 1])],
    tensors: [floats('weights', [2, 1], [1, 2])],
    nodes: [
      classic('OneHotEncoder', ['tone'], ['coded'], { cats_strings: ['red', 'green'], zeros: 0 }),
      node('Flatten', ['coded'], ['columns'], { axis: 1 }),
      node('MatMul', ['columns', 'weights'], ['y']),
    ],
  });
}

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', B: 'float32' }));
  await deployBytes(ada, 'kinds', weightedModel({ tone: 'string', big: 'int64', yes: 'bool', pair: 2 }));
  await deployBytes(ada, 'filled', weightedModel({ a: 'float32', b: 'int64' }), { null_values: { a: 5, b: 1 } });
  await deployBytes(ada, 'missing', weightedModel({ a: 'float32' }), { nulls: 'nan' });
  await deployBytes(ada, 'known', knownTexts());
  await deployBytes(ada, 'kind', classModel(3), {
    task: 'multiclass',
    class_labels: ['small', 'middle', 'large'],
    features: ['x'],
  });
  await deployBytes(ada, 'pass', classModel(2), {
    task: 'binary',
    class_labels: ['no', 'yes'],
    positive_class: 'yes',
    features: ['x'],
  });
  await alice.query('create table points (id int primary key, a real, b double precision)');
  await alice.query(`insert into points values (1, 1, 2), (2, null, 4), (3, 'NaN', 4), (4, 1, 1e300), (5, 3, 4)`);
  await alice.query('create table toned (tone text, big numeric, yes boolean, pair real[])');
  await alice.query(`insert into toned values ('red', 1, true, '{1,3}')`);
});

async function column(text: string): Promise<unknown[]> {
  const { rows } = await alice.query<Record<string, unknown>>(text);
  return rows.map((row) => Object.values(row)[0]);
}

describe.each(['native', 'online'])('score_or_null(), %s', (way) => {
  beforeAll(async () => {
    await alice.query(`select set_config('pgscore.execution', $1, false)`, [way]);
  });

  test('scores the rows that can be scored, and gives NULL for each of the others', async () => {
    const scores = await column(`select score_or_null('sum', p) from points p order by id`);
    expect(scores).toEqual([21, null, null, null, 43]);
  });

  test('why_not() says why', async () => {
    const missing = 'feature a is NULL or NaN';
    expect(await column(`select pgscore.why_not('sum', p) from points p order by id`)).toEqual([
      null,
      way === 'native' ? missing : 'a is NULL',
      way === 'native' ? missing : 'a is NaN',
      expect.stringMatching(/ number that float32 can not hold$/),
      null,
    ]);
  });

  test.each([
    ['a text that is NULL', 'tone', 'null', /^(?:feature )?tone is NULL$/],
    ['a whole number that is NULL', 'big', 'null', /^(?:feature )?big is NULL$/],
    ['a number with a fraction for a whole one', 'big', '1.5', /^feature big is 1.5, not a whole number$/],
    [
      'a number past 64 bits',
      'big',
      '1e30',
      /^(?:feature big is 10+, a number that int64 can not hold|big is a whole number past 2\^53)/,
    ],
    ['a boolean that is NULL', 'yes', 'null', /^(?:feature )?yes is NULL$/],
    [
      'an array that is NULL',
      'pair',
      'null',
      /^(?:pair is NULL|feature pair is NULL, of another length, or with NULL or NaN in it)$/,
    ],
    ['an array of another length', 'pair', `'{1,2,3}'`, /^feature pair is \[1, ?2, ?3\], not an array of 2 numbers$/],
    [
      'an array with a NULL',
      'pair',
      `'{1,null}'`,
      /^(?:element 2 of pair is NULL|feature pair is NULL, of another length, or with NULL or NaN in it)$/,
    ],
  ])('%s has no score, and its feature is named', async (_, name, value, why) => {
    await alice.query('begin');
    const update = `update toned set ${name} = ${value}`;
    await alice.query(update);
    for (const row of ['t', 'to_jsonb(t)', 'to_jsonb(t)::text']) {
      expect(await column(`select score_or_null('kinds', ${row}) from toned t`)).toEqual([null]);
      expect(await column(`select pgscore.why_not('kinds', ${row}) from toned t`)).toEqual([
        expect.stringMatching(why),
      ]);
    }
    await alice.query('rollback');
    expect(await column(`select score_or_null('kinds', t) from toned t`)).toEqual([2111]);
  });

  test('a text where jsonb should have a number has no score', async () => {
    expect(await column(`select score_or_null('sum', '{"a": "much", "b": 1}')`)).toEqual([null]);
    expect(await column(`select pgscore.why_not('sum', '{"a": "much", "b": 1}')`)).toEqual([
      'feature a is "much", not a number',
    ]);
  });

  test('a NULL that the version fills in, or takes as NaN, is scored', async () => {
    expect(await column(`select score_or_null('filled', '{"a": null, "b": null}')`)).toEqual([15]);
    expect(await column(`select pgscore.why_not('filled', '{"a": "NaN", "b": null}')`)).toEqual([null]);
    expect(await column(`select pgscore.why_not('missing', '{"a": null}')`)).toEqual([expect.stringMatching(/finite/)]);
  });

  test('a category that the model refuses has no score', async () => {
    expect(await column(`select score_or_null('known', r) from (values ('green'), ('mauve')) r (tone)`)).toEqual([
      2,
      null,
    ]);
    expect(await column(`select pgscore.why_not('known', '{"tone": "mauve"}') is not null`)).toEqual([true]);
  });

  test('a row that an outer join did not find has no score', async () => {
    const from = 'from (values (1), (9)) x (id) left join points p using (id) order by x.id';
    expect(await column(`select score_or_null('sum', p) ${from}`)).toEqual([21, null]);
    expect(await column(`select pgscore.why_not('sum', p) ${from}`)).toEqual([null, 'the row is NULL']);
  });

  test('a class has its probability, and a model of several classes wants one', async () => {
    const middle = await column(
      `select round(score_or_null('kind', r, class => 'middle')::numeric, 4) from (values (1), (null)) r (x)`,
    );
    expect(middle).toEqual(['0.5761', null]);
    expect(await column(`select score_or_null('pass', '{"x": null}', class => 'no')`)).toEqual([null]);
    expect((await refusal(alice, `select score_or_null('kind', '{"x": 1}')`)).message).toMatch(/which one$/);
    expect((await refusal(alice, `select score_or_null('kind', '{"x": null}', class => 'huge')`)).message).toMatch(
      /no class "huge"$/,
    );
  });

  test.each([
    ['a model that is not there', `select score_or_null('none', p) from points p`, '42704'],
    ['a row without a column for a feature', `select score_or_null('sum', r) from (select 1 as a) r`, '42703'],
    [
      'a column of another type',
      `select score_or_null('kinds', r) from (select date '2026-01-01' as tone, big, yes, pair from toned) r`,
      '42804',
    ],
    ['a value instead of a row', `select score_or_null('sum', a) from points p`, '42804'],
    ['jsonb that is no row', `select score_or_null('sum', '41'::jsonb)`, '42804'],
  ])('%s is an error as ever', async (_, call, code) => {
    expect(await refusal(alice, call)).toMatchObject({ code });
  });

  test('the hint for a text that is NULL does not offer NaN, and for a number it does', async () => {
    const text = `select score('kinds', '{"tone": null, "big": 1, "yes": true, "pair": [1, 2]}')`;
    expect((await refusal(alice, text)).hint).toMatch(/score_or_null.*null_values\.$/);
    const number = await refusal(alice, `select score('sum', '{"a": null, "b": 1}')`);
    expect(number.hint).toMatch(/score_or_null.*null_values or nulls => 'nan'\.$/);
  });
});

test('a wrong deadline is an error, not a row without a score', async () => {
  for (const deadline of ['soon', '999999999']) {
    await alice.query(
      `select set_config('pgscore.execution', 'online', false), set_config('pgscore.deadline', $1, false)`,
      [deadline],
    );
    expect((await refusal(alice, `select score_or_null('sum', '{"a": 1, "b": 2}')`)).code).toBe('22023');
  }
  await alice.query('reset all');
});

test('whoever may not use the model is told so', async () => {
  await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user')`);
  const refused = await refusal(bob, `select pgscore.score_or_null('sum', '{"a": null, "b": 1}')`);
  expect(refused).toMatchObject({ code: '42501', message: 'model "sum@1" is not granted to "bob"' });
  await ada.query(`select pgscore.grant_model('sum', 'pgscore_user')`);
});

test('a query that PostgreSQL runs with workers may call it', async () => {
  await alice.query(
    `create table many as select n as id, case when n % 2 = 0 then n % 10 end::real as a, 1.0::real as b from generate_series(1, 20000) n`,
  );
  await alice.query('analyze many');
  await alice.query('set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0');
  const count = `select count(s)::int as n from (select score_or_null('sum', m) as s from many m where id <= 200 offset 0) x`;
  expect(await column(count)).toEqual([100]);
  const plan = (await column(`explain ${count}`)).join('\n');
  if (serverVersion >= 170_000) expect(plan).toContain('Gather');
  await alice.query('reset all');
});

test('rows of a bound table are taken too', async () => {
  await (await database.client()).query('grant usage on schema alice to pgscore_owner');
  await alice.query(`select pgscore.bind('sum', 'points')`);
  expect(await column(`select score_or_null('sum', p) from points p order by id`)).toEqual([21, null, null, null, 43]);
  await alice.query(`select pgscore.unbind('sum', 'points')`);
});
