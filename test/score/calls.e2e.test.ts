import { beforeAll, describe, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { ada, alice } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', B: 'float32' }));
  await deployBytes(ada, 'colour', weightedModel({ tone: 'string', big: 'int64', yes: 'bool' }));
  await deployBytes(ada, 'kind', classModel(3), {
    task: 'multiclass',
    class_labels: ['small', 'middle', 'large'],
    features: ['x'],
  });
  await deployBytes(ada, 'pass', classModel(2), {
    task: 'binary',
    class_labels: ['no', 'yes'],
    positive_class: 'no',
    threshold: 0.9,
    features: ['x'],
  });
  await deployBytes(ada, 'filled', weightedModel({ a: 'float32', b: 'float32' }), { null_values: { a: 5, b: 1 } });
  await alice.query('create table blank (a real, b double precision)');
  await alice.query('insert into blank values (null, null)');
  await alice.query('create table points (id int primary key, a real, b double precision)');
  await alice.query('insert into points values (1, 1, 2), (2, 3, 4)');
  await makeRelations();
});

/** Of every kind, with one row that the model "sum" makes 21 of. */
async function makeRelations(): Promise<void> {
  const further = Array.from({ length: 1598 }, (_, n) => `x${n} bool`).join(', ');
  const wide = `create table wide (a real, b real, ${further})`;
  await alice.query(wide);
  await alice.query(`
    insert into wide values (1, 2);
    create view seen as select * from points where id = 1;
    create materialized view stored as select * from points where id = 1;
    create table whole (a real, b real, k int) partition by list (k);
    create table part partition of whole for values in (1);
    insert into whole values (1, 2, 1);
    create temp table passing (a real, b real generated always as (a * 2) stored);
    insert into passing values (1);
    create table ancestor (b real); create table inherited (a real) inherits (ancestor);
    insert into inherited values (2, 1)`);
}

async function value(text: string): Promise<unknown> {
  const { rows } = await alice.query<Record<string, unknown>>(text);
  return Object.values(rows[0] ?? {})[0];
}

/** Each way to answer gives the same values and the same errors. */
const WAYS = ['native', 'online'] as const;

describe.each(WAYS)('score() that is answered %s', (way) => {
  beforeAll(async () => {
    await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
  });

  test('takes a row of a table, whose further columns it ignores, by names in any case', async () => {
    const { rows } = await alice.query(`select id, score('sum', p) as score from points p order by id`);
    expect(rows).toEqual([
      { id: 1, score: 21 },
      { id: 2, score: 43 },
    ]);
  });

  test('takes a row of a subquery, values and jsonb, as text too', async () => {
    expect(await value(`select score('sum', r) from (select 5 as a, 1 as b) r`)).toBe(15);
    expect(await value(`with p as (select 5 as a, 2 as b) select score('sum', p) from p`)).toBe(25);
    expect(await value(`select score('sum', v) from (values (5, 3)) v (a, b)`)).toBe(35);
    expect(await value(`select score('sum', jsonb_build_object('a', 5, 'B', 4))`)).toBe(45);
    expect(await value(`select score('sum', '{"a": 5, "B": 5}')`)).toBe(55);
  });

  test('takes a row of whatever has columns, up to 1,600 of them', async () => {
    for (const relation of ['seen', 'stored', 'whole', 'part', 'pg_temp.passing', 'inherited', 'wide'])
      expect({ relation, score: await value(`select score('sum', r) from ${relation} r`) }).toEqual({
        relation,
        score: 21,
      });
  });

  test('sees rows that are not committed yet', async () => {
    await alice.query('begin');
    await alice.query('insert into points values (3, 7, 8)');
    expect(await value(`select score('sum', p) from points p where id = 3`)).toBe(87);
    await alice.query('rollback');
  });

  test('gives NULL for the row that an outer join did not find', async () => {
    const { rows } = await alice.query(
      `select n, score('sum', p) as score from (values (1), (9)) k (n) left join points p on p.id = k.n order by n`,
    );
    expect(rows).toEqual([
      { n: 1, score: 21 },
      { n: 9, score: null },
    ]);
  });

  test('takes a row of nothing but NULL for a row, as a batch does, and not for one that a join did not find', async () => {
    expect(await value(`select score('filled', r) from blank r`)).toBe(15);
    expect(await value(`select score('filled', r) from (select null::real as a, null::real as b) r`)).toBe(15);
    expect(await value(`select pgscore.predict('filled', r) ->> 'value' from blank r`)).toBe('15');
    expect(await value(`select s.score from pgscore.score_rows('filled', array(select r from blank r)) s`)).toBe(15);
    expect((await refusal(alice, `select score('sum', r) from blank r`)).code).toBe('22004');
    const joined = (to: string): string =>
      `select score('filled', r) from (values (1)) k (n) left join ${to} r on r.a = n`;
    expect(await value(joined('blank'))).toBeNull();
    expect(await value(joined('(select a, b, random() from blank)'))).toBeNull();
    expect(await value(joined('(select a, b from blank offset 0)'))).toBeNull();
  });

  test('takes a version by its number or alias', async () => {
    expect(await value(`select score('sum@1', p) from points p where id = 1`)).toBe(21);
    expect(await value(`select score('sum@champion', p) from points p where id = 1`)).toBe(21);
  });

  test('takes texts, integers and booleans', async () => {
    expect(await value(`select score('colour', r) from (select 'green' as tone, 3 as big, true as yes) r`)).toBe(132);
    expect(await value(`select score('colour', '{"tone": "pink", "big": 3, "yes": false}')`)).toBe(29);
  });

  test('names the column that is missing, and what the row has', async () => {
    expect(await refusal(alice, `select score('sum', r) from (select 1 as a, 2 as c) r`)).toMatchObject({
      code: '42703',
      message: 'the row has no column "B", which the model needs',
      detail: 'The row has: a, c.',
    });
  });

  test('names the feature that is mistyped, and never takes a text for a number', async () => {
    const refused = await refusal(alice, `select score('sum', r) from (select '1' as a, 2 as b) r`);
    expect(refused.code).toBe('42804');
    expect(refused.message).toMatch(/^feature a is "1", not a number$/);
    expect((await refusal(alice, `select score('colour', '{"tone": 1, "big": 1, "yes": true}')`)).message).toMatch(
      /^feature tone/,
    );
    expect((await refusal(alice, `select score('colour', '{"tone": "", "big": 1.5, "yes": true}')`)).message).toMatch(
      /^feature big/,
    );
    expect((await refusal(alice, `select score('colour', '{"tone": "", "big": 1, "yes": "maybe"}')`)).message).toMatch(
      /^feature yes/,
    );
  });

  test('names the feature that is NULL where the model handles none', async () => {
    expect(await refusal(alice, `select score('sum', r) from (select 1 as a, null::real as b) r`)).toMatchObject({
      code: '22004',
      message: expect.stringMatching(/\bB\b/),
    });
  });

  test('wants a class of a multiclass model, and gives its probability', async () => {
    const wanting = await refusal(alice, `select score('kind', '{"x": 1}')`);
    expect(wanting).toMatchObject({
      code: '22023',
      message: 'model "kind" has 3 classes: score() needs to know which one',
    });
    expect(wanting.hint).toContain(`score('kind', row, class => 'small')`);
    expect(await value(`select round(score('kind', '{"x": 1}', class => 'middle')::numeric, 4)`)).toBe('0.5761');
    expect(await refusal(alice, `select score('kind', '{"x": 1}', class => 'huge')`)).toMatchObject({
      message: 'model "kind" has no class "huge"',
      hint: 'Its classes are small, middle, large.',
    });
    expect((await refusal(alice, `select score('kind', '{"x":1}', class => null)`)).message).toBe('the class is NULL');
  });

  test('of two classes gives the probability of the positive one, or of another that is named, and labels by the threshold', async () => {
    const row = `'{"x": 0}'`;
    const positive = Number(await value(`select score('pass', ${row})`));
    expect(positive).toBeCloseTo(0.7311, 4);
    expect(await value(`select score('pass', ${row}, class => 'no')`)).toBe(positive);
    expect(await value(`select score('pass', ${row}, class => 'yes')`)).toBeCloseTo(1 - positive, 6);
    expect(await value(`select pgscore.classify('pass', ${row})`)).toBe('yes');
    expect(await value(`select pgscore.classify('pass', '{"x": -2}')`)).toBe('no');
    const { label, probabilities } = (await value(`select pgscore.predict('pass', ${row})`)) as Record<string, never>;
    expect({ label, probabilities }).toEqual({
      label: 'yes',
      probabilities: { no: positive, yes: expect.closeTo(1 - positive, 6) },
    });
  });

  test('predict() tells all and classify() the label', async () => {
    expect(await value(`select pgscore.predict('sum', p) from points p where id = 1`)).toEqual({
      value: 21,
      version: 'sum@1',
    });
    expect(await value(`select pgscore.predict('kind', '{"x": 2}')`)).toMatchObject({
      label: 'large',
      version: 'kind@1',
    });
    expect(await value(`select pgscore.classify('kind', '{"x": 0}')`)).toBe('small');
    expect(await refusal(alice, `select pgscore.classify('sum', p) from points p`)).toMatchObject({
      message: 'model "sum" is a regression: it has no labels',
    });
    expect(await value(`select pgscore.predict('sum', null::points)`)).toBeNull();
  });
});

describe('score() refuses', () => {
  test('a value, and says how to pass the row', async () => {
    const refused = await refusal(alice, `select score('sum', p.id) from points p`);
    expect(refused).toMatchObject({ code: '42804', message: `the model takes a row, not the value '1'` });
    expect(refused.hint).toContain("select score('model', c) from customers c");
    expect((await refusal(alice, `select score('sum', 'hello')`)).message).toBe(
      `the model takes a row, not the value 'hello'`,
    );
    for (const other of [`'{1,2}'::int[]`, `'1 day'::interval`, `'[1]'::jsonb`])
      expect(await refusal(alice, `select score('sum', ${other})`)).toMatchObject({
        code: '42804',
        message: expect.stringMatching(/^the model takes a row, not /),
      });
  });

  test.each(['array[row(1, 2)]', 'array(select p from points p)', 'array[1, 2]'])(
    'an array, and says what takes one: %s',
    async (array) => {
      expect(await refusal(alice, `select score('sum', ${array})`)).toMatchObject({
        code: '42804',
        message: expect.stringMatching(/^the model takes a row, not the array \[/),
        hint: expect.stringContaining('pgscore.score_rows('),
      });
      for (const call of [`predict('sum', ${array})`, `classify('kind', ${array})`, `score('kind', ${array}, 'small')`])
        expect(await refusal(alice, `select pgscore.${call}`)).toMatchObject({
          code: '42804',
          message: expect.stringMatching(/^the model takes a row, not /),
        });
    },
  );

  test('a text that is not JSON, and a model that is NULL, and says what to write', async () => {
    for (const call of [`score('sum', '{"a": 1, "b": 2')`, `pgscore.predict('sum', '{''a'': 1}')`])
      expect(await refusal(alice, `select ${call}`)).toMatchObject({
        code: '22P02',
        message: expect.stringMatching(/^the row is not JSON: \{/),
        detail: expect.any(String),
        hint: expect.stringContaining('jsonb_build_object('),
      });
    for (const call of [`score(null, p)`, `pgscore.predict(null, p)`])
      expect(await refusal(alice, `select ${call} from points p`)).toMatchObject({
        code: '22004',
        message: 'the model is NULL',
        hint: expect.stringContaining('churn@3'),
      });
  });

  test('a model that does not exist, and one that is NULL, also where there is no row', async () => {
    for (const none of ['null::jsonb', 'null::points', 'null::text'])
      for (const [model, code] of [
        [`'nosuch'`, '42704'],
        [`'sum@99'`, '42704'],
        ['null', '22004'],
      ] as const)
        expect(await refusal(alice, `select score(${model}, ${none})`)).toMatchObject({ code });
    const prepared = { name: 'of none', text: 'select score($1, $2::jsonb)' };
    await expect(alice.query({ ...prepared, values: ['nosuch', null] })).rejects.toMatchObject({ code: '42704' });
    await expect(alice.query({ ...prepared, values: [null, null] })).rejects.toMatchObject({ code: '22004' });
    expect((await alice.query({ ...prepared, values: ['sum', null] })).rows).toEqual([{ score: null }]);
  });

  test('a row without names', async () => {
    expect(await refusal(alice, `select score('sum', row(1, 2))`)).toMatchObject({
      code: '42703',
      message: 'the row has no column names',
    });
    await deployBytes(ada, 'numbered', weightedModel({ f0: 'float32', f1: 'float32' }));
    expect(await refusal(alice, `select score('numbered', row(1, 2))`)).toMatchObject({
      code: '42703',
      message: 'the row has no column "f0", which the model needs',
      hint: expect.stringContaining('ROW(...) names its columns f1, f2, ...: pass jsonb_build_object('),
    });
    await ada.query(`select pgscore.drop_model('numbered')`);
  });

  test('a model that does not exist, and lists those that do', async () => {
    expect(await refusal(alice, `select score('sums', p) from points p`)).toMatchObject({
      code: '42704',
      message: 'model "sums" does not exist',
      hint: 'Deployed models: colour, filled, kind, pass, sum.',
    });
  });

  test('a setting that it does not know', async () => {
    await alice.query(`set pgscore.execution = 'fast'`);
    expect(await refusal(alice, `select score('sum', p) from points p`)).toMatchObject({
      code: '22023',
      hint: 'Set it to auto, native or online.',
    });
    await alice.query('reset pgscore.execution');
  });
});
