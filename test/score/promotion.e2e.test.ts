import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await alice.query('create table points as select 1::real as a, 2::real as b, n from generate_series(1, 200) n');
});

/** Promotes one version and the other for as long as statements run; gives what each statement answered. */
async function whilePromoting(text: string): Promise<number[][]> {
  const answers: number[][] = [];
  let going = true;
  let promotions = 0;
  const promoting = (async () => {
    for (; going; promotions += 1) await ada.query('select pgscore.promote($1)', [`sum@${(promotions % 2) + 1}`]);
  })();
  try {
    while (answers.length < 10 || promotions < 5) {
      const { rows } = await alice.query<{ answers: number[] }>(text);
      answers.push(rows[0]!.answers);
    }
  } finally {
    going = false;
    await promoting;
  }
  return answers;
}

/** Each function over all rows gives one version's answer: 21 or 12. */
const CALLS = [
  `score('sum', p)`,
  `score('sum', to_jsonb(p))`,
  `score('sum', to_jsonb(p)::text)`,
  `(pgscore.predict('sum', p) ->> 'value')::float8`,
];

describe.each(['native', 'online'] as const)('while versions are promoted, answered %s', (way) => {
  test.each(CALLS)('%s fails no call and mixes no versions inside of a statement', async (call) => {
    await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
    const text = `select array_agg(distinct ${call}) as answers from points p`;
    for (const answers of await whilePromoting(text)) expect([[12], [21]]).toContainEqual(answers);
  });

  test('neither do several calls of score_rows(), nor these beside others', async () => {
    const rows = `pgscore.score_rows('sum', array(select p from points p where g.g > 0))`;
    const text = `select array_agg(distinct x order by x) as answers from (values (1), (2), (3)) g (g), lateral ${rows} s,
      lateral (select s.score union all select score('sum', s.features) union all select (pgscore.score_rows('sum', array[s.features])).score) v (x) where (s.features).n % 50 = g.g`;
    for (const answers of await whilePromoting(text)) expect([[12], [21]]).toContainEqual(answers);
  });

  test('neither does score_rows()', async () => {
    const text = `select array_agg(distinct s.score) as answers from pgscore.score_rows('sum', array(select p from points p)) s`;
    for (const answers of await whilePromoting(text)) expect([[12], [21]]).toContainEqual(answers);
  });
});
