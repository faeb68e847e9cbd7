import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { deployBytes, deployModel } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

/** a + 10 b + 100 n + 1,000 i + 10,000 flag + 100,000 word + 1,000,000 v. */
beforeAll(async () => {
  const types = { a: 'float32', b: 'float64', n: 'int64', i: 'int32', flag: 'bool', word: 'string', v: 3 } as const;
  await deployBytes(ada, 'mixed', weightedModel(types));
  await deployBytes(ada, 'reals', weightedModel({ a: 'float32', x: 'float32' }));
  await deployBytes(ada, 'kind', classModel(3), {
    task: 'multiclass',
    class_labels: ['small', 'middle', 'large'],
    features: ['x'],
  });
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query(
    `create type colour as enum ('red', 'green'); create domain shade as colour; create domain whole as bigint check (value > 0)`,
  );
});

beforeEach(async () => {
  await alice.query(
    'create table rows (a real, b double precision, n bigint, i int, flag boolean, word text, v real[], x real)',
  );
  await alice.query(`insert into rows values (1, 2, 3, 4, true, 'red', array[1, 1, 1], 2)`);
  await alice.query(`select pgscore.bind(m, 'rows') from unnest(array['mixed', 'reals', 'kind']) m`);
});

afterEach(async () => {
  await alice.query('drop table rows cascade');
});

const SCORES = [`score('mixed', r)`, `score('mixed@1', r)`, `pgscore_models.mixed(r)`, `pgscore_models.mixed_v1(r)`];
const OTHERS = [`score('reals', r)`, `pgscore_models.reals_v1(r)`];
const LABELS = [`pgscore_models.kind(r)`, `pgscore_models.kind_v1(r)`];

async function answer(call: string): Promise<unknown> {
  const text = `select ${call} as answer from rows r`;
  return (await alice.query<{ answer: unknown }>(text)).rows[0]?.answer;
}

async function plan(call: string): Promise<string> {
  const explain = `explain (verbose, costs off) select ${call} from rows r`;
  const { rows } = await alice.query<{ 'QUERY PLAN': string }>(explain);
  return rows[1]?.['QUERY PLAN'].replaceAll(/_v\d+/g, '_v') ?? '';
}

describe('a column of a bound table that is given a type which the feature cannot be', () => {
  test.each([
    ['int64', 'n', 'numeric', 'n + 0.5', 'a whole number', SCORES],
    ['int64', 'n', 'double precision', 'n', 'a whole number', SCORES],
    ['int32', 'i', 'real', 'i + 0.5', 'a whole number of 32 bits', SCORES],
    ['int32', 'i', 'bigint', 'i', 'a whole number of 32 bits', SCORES],
    ['bool', 'flag', 'integer', '7', 'a boolean', SCORES],
    ['bool', 'flag', 'text', `'yes'`, 'a boolean', SCORES],
    ['string', 'word', 'jsonb', `'{"a": 1}'`, 'a text', SCORES],
    ['string', 'word', 'integer', '1', 'a text', SCORES],
    ['float32', 'a', 'text', `'1'`, 'a number', [...SCORES, ...OTHERS]],
    ['float64', 'b', 'jsonb', `'2'`, 'a number', SCORES],
    ['float32', 'a', 'date', `date '2026-03-01'`, 'a number', [...SCORES, ...OTHERS]],
    ['float32 of a classifier', 'x', 'text', `'2'`, 'a number', [...OTHERS, ...LABELS]],
    ['array', 'v', 'date[]', `'{2026-03-01}'`, 'an array of numbers', SCORES],
    ['array', 'v', 'text', `'{1,1,1}'`, 'an array of numbers', SCORES],
  ])('is refused and not cast: %s, %s as %s', async (_, column, type, using, wanted, calls) => {
    const alter = `alter table rows alter ${column} type ${type} using ${using}`;
    await alice.query(alter);
    for (const call of calls) {
      const model = /mixed|reals|kind/.exec(call)?.[0];
      expect([call, await refusal(alice, `select ${call} from rows r`)]).toEqual([
        call,
        {
          code: '42804',
          message: `column "${column}" of alice.rows is ${type}, and model "${model}", to which it is bound, takes ${wanted} there`,
          hint: expect.stringContaining(`select pgscore.unbind('${model}', 'alice.rows');`),
        },
      ]);
    }
  });

  test('is refused by a plan that was made before, where the row is a variable', async () => {
    await alice.query('prepare scoring as select pgscore_models.mixed(r) from rows r');
    for (let turn = 0; turn < 7; turn += 1) await alice.query('execute scoring');
    await alice.query('alter table rows alter n type numeric using n + 0.5');
    expect((await refusal(alice, 'execute scoring')).code).toBe('42804');
    await alice.query('deallocate scoring');
  });

  test('takes no row into an index any more', async () => {
    await alice.query('create index scored on rows ((pgscore_models.mixed_v1(rows)))');
    await alice.query('drop index scored; alter table rows alter n type numeric');
    expect((await refusal(alice, 'create index scored on rows ((pgscore_models.mixed_v1(rows)))')).code).toBe('42804');
  });
});

test.each([
  ['a', 'numeric', 'a'],
  ['a', 'smallint', 'a'],
  ['b', 'real', 'b'],
  ['b', 'bigint', 'b'],
  ['b', 'boolean', 'b > 0'],
  ['n', 'smallint', 'n'],
  ['n', 'whole', 'n'],
  ['i', 'smallint', 'i'],
  ['i', 'boolean', 'i > 0'],
  ['word', 'varchar(10)', 'word'],
  ['word', 'char(10)', 'word'],
  ['word', 'name', 'word'],
  ['word', 'colour', 'word::colour'],
  ['word', 'shade', 'word::colour'],
  ['v', 'double precision[]', 'v'],
])('a column of another type that the feature can be is scored as before: %s as %s', async (column, type, using) => {
  const alter = `alter table rows alter ${column} type ${type} using ${using}`;
  await alice.query(alter);
  const expected = await answer(`score('mixed', to_jsonb(r) || jsonb_build_object('word', r.word::text))`);
  for (const call of SCORES) expect([call, await answer(call)]).toEqual([call, expected]);
  await alice.query(`select pgscore.bind('mixed', 'rows'), pgscore.bind('reals', 'rows')`);
  for (const call of SCORES) expect([call, await answer(call)]).toEqual([call, expected]);
});

test('the query holds a column that fits as it is, or its one cast, and nothing of how that was found', async () => {
  expect(await plan(`score('mixed', r)`)).toContain(
    'pgscore_models._v((a)::double precision, b, n, (i)::bigint, flag, word, (v)::double precision[])',
  );
  expect(await plan(`pgscore_models.kind_v1(r)`)).toContain('_v_label((x)::double precision)');
  await deployModel(ada, 'logistic', 'bench/logistic.onnx');
  const columns = Array.from({ length: 20 }, (_, index) => `1::real as f${index}`);
  const create = `create table reals as select ${columns.join()}`;
  await alice.query(create);
  await alice.query(`select pgscore.bind('logistic', 'reals')`);
  const explain = `explain (verbose, costs off) select score('logistic', r) from reals r`;
  const { rows } = await alice.query<{ 'QUERY PLAN': string }>(explain);
  expect(rows[1]?.['QUERY PLAN']).toMatch(
    /COALESCE\([^[]*\(f0 \* '.*\+ \(f1 \* '.*_checked\(\(f0\)::double precision, /,
  );
  expect(rows[1]?.['QUERY PLAN']).not.toMatch(/_column|_real/);
});

test('a boolean for a number is 0 or 1 on a bound table as on another, also where all are booleans', async () => {
  await alice.query('create table flags (a boolean, x boolean)');
  await alice.query('insert into flags values (true, false), (null, true), (true, true)');
  const unbound = await alice.query(`select score('reals', f) as score from flags f where a`);
  const labels = await alice.query(`select pgscore.classify('kind', f) as label from flags f where a`);
  await alice.query(`select pgscore.bind('reals', 'flags'), pgscore.bind('kind', 'flags')`);
  for (const call of [`score('reals', f)`, 'pgscore_models.reals(f)', 'pgscore_models.reals_v1(f)']) {
    const bound = `select ${call} as score from flags f where a`;
    expect((await alice.query(bound)).rows).toEqual(unbound.rows);
  }
  expect(unbound.rows).toEqual([{ score: 1 }, { score: 11 }]);
  expect((await alice.query('select pgscore_models.kind(f) as label from flags f where a')).rows).toEqual(labels.rows);
  expect((await refusal(alice, `select score('reals', f) from flags f where a is null`)).code).toBe('22004');
  await alice.query('drop table flags cascade');
});
