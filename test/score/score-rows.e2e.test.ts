import { beforeAll, describe, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { arrayBytes, vectorModels } from '../support/array-models.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, ada, alice } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', B: 'float32' }));
  await deployBytes(ada, 'kind', classModel(3), {
    task: 'multiclass',
    class_labels: ['small', 'middle', 'large'],
    features: ['x'],
  });
  await alice.query('create table points (id int primary key, a real, b double precision)');
  await alice.query('insert into points values (1, 1, 2), (2, 3, 4)');
});

async function value(text: string): Promise<unknown> {
  const { rows } = await alice.query<Record<string, unknown>>(text);
  return Object.values(rows[0] ?? {})[0];
}

const WAYS = ['native', 'online'] as const;

test('score_rows() gives each row its prediction, uncommitted ones too, in the order of the array', async () => {
  await alice.query('begin');
  await alice.query('insert into points select n, n, 1 from generate_series(10, 25000) n');
  const { rows } = await alice.query(
    `select count(*)::int as rows, bool_and(s.score = (s.features).a + 10 * (s.features).b) as right, min(s.version) as version
       from pgscore.score_rows('sum', array(select p from points p order by id)) s`,
  );
  expect(rows).toEqual([{ rows: 24_993, right: true, version: 'sum@1' }]);
  await alice.query('rollback');
});

describe('score_rows()', () => {
  const sums = (source: string): string =>
    `select count(*)::int as rows, bool_and(s.score = (s.features).a + 10 * (s.features).b) as "right" from pgscore.score_rows('sum', array(${source})) s`;
  const many = 'select r from (select n as a, 1 as b from generate_series(1, 5000) n) r';

  test('takes rows of a subquery, and none', async () => {
    await alice.query('create table numbers as select n as a, 1 as b from generate_series(1, 5000) n');
    expect((await alice.query(sums('select n from numbers n'))).rows).toEqual([{ rows: 5000, right: true }]);
    expect((await alice.query(sums('select n from numbers n where false'))).rows).toEqual([{ rows: 0, right: null }]);
    const documents = `select count(s.score)::int as rows from pgscore.score_rows('sum', array(select to_jsonb(r) from (${many}) x)) s`;
    expect((await alice.query(documents.replace('to_jsonb(r)', 'to_jsonb(x.r)'))).rows).toEqual([{ rows: 5000 }]);
  });

  test('computes here where that is asked for', async () => {
    await alice.query('set pgscore.execution = native');
    expect((await alice.query(sums('select n from numbers n'))).rows).toEqual([{ rows: 5000, right: true }]);
    await alice.query('reset pgscore.execution');
  });

  test.each(WAYS)('refuses an array with a row that is NULL, %s', async (way) => {
    await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
    const text = `select s.score from pgscore.score_rows('sum', array(select p from (values (1), (99)) v (id) left join points p using (id))) s`;
    expect(await refusal(alice, text)).toMatchObject({ code: '22004', message: 'row 2 of the array is NULL' });
    await alice.query('reset pgscore.execution');
  });

  test('leaves no answer behind for the next call where a later row fails', async () => {
    await alice.query(`update numbers set b = null where a = 4500`);
    expect((await refusal(alice, sums('select n from numbers n order by a'))).code).toBe('22004');
    await alice.query('set pgscore.execution = online');
    expect(await value(`select score('sum', '{"a": 1, "B": 2}')`)).toBe(21);
    await alice.query('reset pgscore.execution');
    await alice.query(`update numbers set b = 1`);
    expect((await alice.query(sums('select n from numbers n'))).rows).toEqual([{ rows: 5000, right: true }]);
  });

  test('leaves none behind where a row of a later chunk cannot be written as JSON', async () => {
    const broken = `select jsonb_build_object('a', 1, case when n < 4500 then 'b' else 'c' end, 1) from generate_series(1, 5000) n`;
    const text = `select s.score from pgscore.score_rows('sum', array(${broken})) s`;
    expect((await refusal(alice, text)).code).toBe('42703');
    const single = `select s.score from pgscore.score_rows('sum', array[jsonb_build_object('a', 3, 'b', 4)]) s`;
    expect((await alice.query(single)).rows).toEqual([{ score: 43 }]);
  });
});

test.each(WAYS)('score_rows() answered %s gives labels and probabilities as predict() does', async (way) => {
  await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
  const { rows } = await alice.query(
    `select count(*)::int as rows, count(distinct s.label)::int as labels,
            bool_and(p.said ->> 'label' = s.label and s.score = (p.said -> 'probabilities' ->> s.label)::float8 and s.probabilities = array(
              select (p.said #>> array['probabilities', c])::float8 from unnest('{small,middle,large}'::text[]) with ordinality l (c, n) order by n)) as same
       from pgscore.score_rows('kind', array(select jsonb_build_object('x', n) from generate_series(-3, 3) n)) s
      cross join lateral (select pgscore.predict('kind', s.features) offset 0) p (said)`,
  );
  expect(rows).toEqual([{ rows: 7, labels: expect.any(Number), same: true }]);
  await alice.query('reset pgscore.execution');
});

test('score_rows() takes an array of jsonb, for rows that have no type of their own', async () => {
  const { rows } = await alice.query(
    `select s.features, s.score from pgscore.score_rows('sum', array(select jsonb_build_object('a', n, 'B', 1) from generate_series(1, 2) n)) s`,
  );
  expect(rows).toEqual([
    { features: { a: 1, B: 1 }, score: 11 },
    { features: { a: 2, B: 1 }, score: 12 },
  ]);
});

test('score_rows() of two dozen sessions at once are all answered', async () => {
  const roles = ['alice', 'bob'] as const;
  const sessions = await Promise.all(Array.from({ length: 24 }, (_, n) => database.client(roles[n % 2] ?? 'bob')));
  const text = `select count(s.score)::int as rows from pgscore.score_rows('sum', array(select jsonb_build_object('a', n, 'B', 1) from generate_series(1, 5000) n)) s`;
  const answers = await Promise.all(sessions.map(async (session) => (await session.query(text)).rows));
  expect(answers).toEqual(sessions.map(() => [{ rows: 5000 }]));
}, 60_000);

describe('rows that are longer than the service takes a thousand of', () => {
  const scored = (element: string, from: string): string =>
    `select count(s.score)::int as rows, sum(s.score) as sum from pgscore.score_rows('sum', array(select ${element} from ${from})) s`;
  const right = [{ rows: 1500, sum: (1500 * 1501) / 2 + 15_000 }];

  beforeAll(async () => {
    await alice.query(
      `create table long as select n as a, n as x, 1 as b, repeat('x', 20000) as long from generate_series(1, 1500) n`,
    );
    await alice.query(`create table padded as select l.*, 'x'::char(8) as pad from long l`);
  });

  test.each([
    ['of a table', 'l', 'long l'],
    ['with a column in padding', 'p', 'padded p'],
    ['of JSON', 'to_jsonb(l)', 'long l'],
  ])('are scored: %s', async (_, element, from) => {
    expect((await alice.query(scored(element, from))).rows).toEqual(right);
  });

  test('also where labels find them by the long column', async () => {
    await ada.query(`select pgscore.log_calls('sum', key => array['long'])`);
    expect((await alice.query(scored('l', 'long l'))).rows).toEqual(right);
    await ada.query(`select pgscore.log_calls('sum', key => '{}')`);
  });
});

test.each([
  ['jsonb', `'{"a": 100, "b": 100}'::jsonb`],
  ['int', '7'],
])('score_rows() takes the row, not a column of it that is called as what is inside, of %s', async (_, value) => {
  const create = `create table inside as select 1::real as a, 2::real as b, ${value} as r, ${value} as e, ${value} as x, ${value} as n, ${value} as rows, ${value} as version_id, 'c'::char(3) as c`;
  await alice.query(create);
  for (const way of ['native', 'online']) {
    await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
    const text = `select s.score from pgscore.score_rows('sum', array(select i from inside i)) s`;
    expect((await alice.query(text)).rows).toEqual([{ score: 21 }]);
  }
  await alice.query('reset pgscore.execution; drop table inside');
});

test('score_rows() reads a feature by any name, and that of a column called x', async () => {
  await deployBytes(ada, 'named', weightedModel({ x: 'float32', 'Of "It"': 'string', r: 'float32' }));
  await alice.query(
    `create table named as select n as x, 'red'::char(9) as "of ""it""", 0.1 as r from generate_series(1, 150) n`,
  );
  const { rows } = await alice.query(
    `select count(*)::int as rows, bool_and(s.score = (s.features).x + 10 + 100 * 0.1::real) as right from pgscore.score_rows('named', array(select n from named n)) s`,
  );
  expect(rows).toEqual([{ rows: 150, right: true }]);
});

test('score_rows() gives vectors, which have no score, to a session that takes NULL in an array for a text', async () => {
  const model = vectorModels.find(({ name }) => name === 'components');
  if (model === undefined) throw new Error('arrays.json has no components');
  await deployBytes(ada, 'components', arrayBytes(model), model.deploy);
  await alice.query('set array_nulls = off');
  const rows = `array(select '{"sepal_length": 5, "sepal_width": 3, "petal_length": 1, "petal_width": 0.2}'::jsonb from generate_series(1, 3))`;
  const text = `select cardinality(translate(s.outputs ->> 'embedding', '[]', '{}')::real[]) > 0 as is_there from pgscore.score_rows('components', ${rows}) s`;
  // The first call of a session finds no connection, and asks in another way.
  for (const _call of [1, 2])
    expect((await alice.query(text)).rows).toEqual(Array.from({ length: 3 }, () => ({ is_there: true })));
  await alice.query('reset array_nulls');
});
