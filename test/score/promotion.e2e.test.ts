import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { oneIn } from '../support/night.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { ada, alice } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  // score_rows() asks for a thousand at a time: three times these rows are nine parts.
  await alice.query('create table points as select n, 1::real as a, 2::real as b from generate_series(1, 3000) n');
});

/**
 * Promotes one version and the other while a session runs a statement over and over, until a promotion began and ended in one;
 * gives what that one answered.
 */
async function whilePromoting(text: string): Promise<number[]> {
  let going = true;
  let promotions = 0;
  const promoting = (async () => {
    for (; going; promotions += 1) await ada.query('select pgscore.promote($1)', [`sum@${(promotions % 2) + 1}`]);
  })();
  try {
    for (;;) {
      const before = promotions;
      const { rows } = await alice.query<{ answers: number[] }>(text);
      expect([[12], [21]]).toContainEqual(rows[0]?.answers);
      // One was on its way when the statement was sent; the next began and ended while it ran.
      if (promotions > before + 1) return rows[0]?.answers ?? [];
    }
  } finally {
    going = false;
    await promoting;
  }
}

/** Each function over all rows gives one version's answer: 21 or 12. */
const CALLS = [
  `score('sum', p)`,
  `score('sum', to_jsonb(p))`,
  `score('sum', to_jsonb(p)::text)`,
  `(pgscore.predict('sum', p) ->> 'value')::float8`,
];

describe.each([
  ['native', 3000],
  ['online', 500],
] as const)('while versions are promoted, answered %s', (way, rows) => {
  beforeAll(async () => {
    await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
  });

  test.each(oneIn(2, CALLS))('%s fails no call and mixes no versions inside of a statement', async (call) => {
    const text = `select array_agg(distinct ${call}) as answers from points p where n <= ${rows}`;
    expect(await whilePromoting(text)).toHaveLength(1);
  });

  test('neither do several calls of score_rows(), nor these beside others', async () => {
    const some = `pgscore.score_rows('sum', array(select p from points p where g.g > 0 and p.n <= 200))`;
    const text = `select array_agg(distinct x order by x) as answers from (values (1), (2), (3)) g (g), lateral ${some} s,
      lateral (select s.score union all select score('sum', s.features) union all select (pgscore.score_rows('sum', array[s.features])).score) v (x) where (s.features).n % 50 = g.g`;
    expect(await whilePromoting(text)).toHaveLength(1);
  });

  test('neither does score_rows(), which asks for the rows in several parts', async () => {
    const text = `select array_agg(distinct s.score) as answers from pgscore.score_rows('sum', array(select p from points p, generate_series(1, 3))) s`;
    expect(await whilePromoting(text)).toHaveLength(1);
  });
});
