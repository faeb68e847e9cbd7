import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { ada, alice } = await scoreFixture();

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
