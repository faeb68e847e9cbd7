import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { ada, alice } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'one', weightedModel({ 'Of It': 'float32' }));
  await deployBytes(ada, 'whole', weightedModel({ 'Of It': 'int64' }));
  await deployBytes(ada, 'yes', weightedModel({ 'Of It': 'bool' }));
  await deployBytes(ada, 'pass', classModel(2), {
    task: 'binary',
    class_labels: ['no', 'yes'],
    positive_class: 'yes',
    features: ['x'],
  });
  await alice.query(`set pgscore.execution = native`);
});

/** The expression at the end of a hint. */
const EXPRESSION = /(?:give|as in|that is) ((?:extract|"Of It").*)\.$/;

test.each([
  ['one', 'date', '2026-03-01', 3],
  ['one', 'timestamptz', '2026-03-01 12:00+00', 3],
  ['whole', 'timestamp', '2026-03-01 12:00', 3],
  ['one', 'time', '12:00', 43200],
  ['one', 'interval', '1 day 12:00', 129600],
  ['whole', 'interval', '-2 days', -172800],
  ['one', 'text', '1.5e1', 15],
  ['whole', 'text', '15', 15],
  ['one', 'money', '1.50', 1.5],
  ['whole', 'oid', '15', 15],
  ['one', 'bit(3)', '101', 101],
  ['yes', 'text', 'true', 1],
])('model %s refuses a %s %s with the expression to give, which runs', async (model, type, given, expected) => {
  for (const source of [type, 'text']) {
    const rows = `(select '${given}'::${type}::${source} as "Of It") t`;
    const { code, hint } = await refusal(alice, `select score('${model}', t) from ${rows}`);
    expect(code).toBe('42804');
    const [, expression = ''] = EXPRESSION.exec(hint ?? '') ?? [];
    const remedied = `select score('${model}', r) as score from (select ${expression} as "Of It" from ${rows}) r`;
    expect((await alice.query(remedied)).rows).toEqual([{ score: expected }]);
  }
});

test.each(['NaN', 'Infinity', '-Infinity'])(
  '%s for a whole number is refused as what it is, not as a text',
  async (given) => {
    const of = `from (select '${given}'::float8 as "Of It") r`;
    const { code, message, hint } = await refusal(alice, `select score('whole', r) ${of}`);
    expect({ code, message }).toEqual({ code: '42804', message: `feature "Of It" is "${given}", not a whole number` });
    const [, condition = ''] = /\((where .*)\), or/.exec(hint ?? '') ?? [];
    const remedied = `select score('whole', r) ${of} ${condition}`;
    expect((await alice.query(remedied)).rows).toEqual([]);
  },
);

test('a value that nests is refused by the same words online', async () => {
  const call = `select score('one', '{"Of It": {"a": 1}}')`;
  expect((await refusal(alice, call)).message).toBe('feature "Of It" is {"a": 1}, not a number');
  await alice.query('set pgscore.execution = online');
  expect((await refusal(alice, call)).message).toBe('feature Of It is {…}, not a number');
  await alice.query('set pgscore.execution = native');
});

test('a text that says no number is refused without a cast that would fail on it alone', async () => {
  const { hint } = await refusal(alice, `select score('one', '{"Of It": "much"}')`);
  expect(hint).toContain('the number that the model was trained on');
});

test('a number past float32 is refused with the name of its feature, of a table and of a subquery', async () => {
  await alice.query('create table far as select 1e300::double precision as "Of It"');
  for (const rows of ['far t', '(select * from far offset 0) t'])
    expect(await refusal(alice, `select score('one', t) from ${rows}`)).toMatchObject({
      code: '22003',
      message: 'feature "Of It" is 1e+300, a number that float32 can not hold',
      hint: expect.stringContaining('least(greatest("Of It"'),
    });
});

describe.each(['native', 'online'])('a number that no double holds is refused %s', (way) => {
  const object = `jsonb_build_object('x', NUMBER, 'Of It', NUMBER)`;
  const row = `(select NUMBER as x, NUMBER as "Of It") r`;

  beforeAll(async () => {
    await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
  });
  afterAll(async () => {
    await alice.query('set pgscore.execution = native');
  });

  test.each([
    `select score('one', ${object})`,
    `select score('one', r) from ${row}`,
    `select pgscore.predict('one', r) from ${row}`,
    `select pgscore.classify('pass', r) from ${row}`,
    `select s.score from pgscore.score_rows('one', array(select to_jsonb(r) from ${row})) s`,
  ])('%s', async (call) => {
    const past = { code: '22003', message: expect.stringMatching(/^(x|Of It) is a number that float32 can not hold$/) };
    for (const number of ['1e400::numeric', '-1e400::numeric']) {
      const refused = await refusal(alice, call.replaceAll('NUMBER', number));
      expect(refused).toMatchObject(way === 'native' ? { code: '22003' } : past);
    }
  });
});

test('a whole number past 64 bits is refused with the name of its feature', async () => {
  for (const way of ['1e30', '-9223372036854775809', '18446744073709551616.0']) {
    for (const row of [`'{"Of It": ${way}}'::jsonb`, `'{"of it": ${way}}'::jsonb`]) {
      const call = `select score('whole', ${row})`;
      const refused = await refusal(alice, call);
      expect(refused).toMatchObject({ code: '22003', hint: 'Leave such rows out, or bound them.' });
      expect(refused.message).toMatch(/^feature "Of It" is -?\d+(\.0)?, a number that int64 can not hold$/);
    }
  }
  const call = `select score('whole', '{"Of It": 9223372036854775807}'::jsonb) as score`;
  expect((await alice.query(call)).rows).toEqual([{ score: 2 ** 63 }]);
});

test('a whole number past 2^53 is scored natively, and never as another by the service, which says so', async () => {
  const call = `select score('whole', r) as score from (select 9007199254740993 as "Of It") r`;
  expect((await alice.query(call)).rows).toEqual([{ score: 2 ** 53 }]);
  await alice.query('set pgscore.execution = online');
  expect(await refusal(alice, call)).toMatchObject({
    code: '22003',
    message: 'Of It is a whole number past 2^53, which the service can not be asked about exactly',
  });
  await alice.query('set pgscore.execution = native');
});

describe('rows of subqueries', () => {
  /** a + 10 b */
  const SCORE = 21;

  beforeAll(async () => {
    await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
    await alice.query('create table customers as select 1 as id, 1::real as a');
    await alice.query('create table accounts as select 1 as id, 100::real as a, 2::real as b');
    await alice.query('create table points as select 1::real as a, 2::real as b');
    await alice.query(`create function some_point() returns record language sql as 'select p from points p limit 1'`);
  });

  const value = async (text: string): Promise<unknown> => (await alice.query<{ value: unknown }>(text)).rows[0]?.value;

  const JOINED = 'from (select c.*, k.* from customers c join accounts k on k.id = c.id) r';

  describe.each(['native', 'online'])('a row of a subquery that is scored %s', (way) => {
    beforeEach(() => alice.query(`select set_config('pgscore.execution', $1, false)`, [way]));

    test.each([`score('sum', r)`, `pgscore.predict('sum', r)`])(
      'is refused by %s where two columns have the name of a feature and differ',
      async (call) => {
        expect(await refusal(alice, `select ${call} ${JOINED}`)).toMatchObject({
          code: '42702',
          message: 'the row has more than one column "a", which the model needs',
          detail: expect.stringContaining('a (1 of 2)'),
        });
      },
    );

    test.each([
      ['are the same', '(select 1 as a, 2 as b, 1 as a) r'],
      ['are of no feature', `(select 1 as a, 2 as b, 'x' as note, 'y' as note) r`],
    ])('is scored where two columns of one name %s', async (_, from) => {
      expect(await value(`select score('sum', r) as value from ${from}`)).toBe(SCORE);
      expect(await value(`select pgscore.predict('sum', r) ->> 'value' as value from ${from}`)).toBe(String(SCORE));
    });

    test('has no feature in a column whose name is like that of one of two', async () => {
      const alike = `from (select 1 as "a (1 of 2)", 2 as b) r`;
      expect(await refusal(alice, `select score('sum', r) ${alike}`)).toMatchObject({ code: '42703' });
      expect(await refusal(alice, `select score('sum', to_jsonb(r)) ${alike}`)).toMatchObject({ code: '42703' });
    });

    test('may be of a type of its own, and the next in the session of none, or of another', async () => {
      const rows = [
        ['r', '(select 1 as a, 2 as b) r'],
        ['some_point()', 'points'],
        ['r', `(select 2 as b, 1 as a, 'x'::char(3) as note) r`],
      ] as const;
      for (const [row, from] of [...rows, ...rows]) {
        expect(await value(`select score('sum', ${row}) as value from ${from}`)).toBe(SCORE);
        expect(await value(`select pgscore.predict('sum', ${row}) ->> 'value' as value from ${from}`)).toBe(
          String(SCORE),
        );
      }
    });
  });
});
