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

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float64' }));
  await alice.query('create table written as select 1::float8 as a, 0.1::real as b');
});

const score = async (text: string) => (await alice.query<{ score: unknown }>(text)).rows[0]?.score;

const BY_JSON = [
  `select score('sum', w) from written w`,
  `select score('sum', r) from (select * from written offset 0) r`,
  `select score('sum', to_jsonb(w)) from written w`,
  `select s.score from pgscore.score_rows('sum', array(select w from written w)) s`,
];

test.each(['native', 'online'])(
  'a real for a feature in double precision is the number that it is written as, %s',
  async (execution) => {
    await alice.query(`select set_config('pgscore.execution', $1, false)`, [execution]);
    for (const text of BY_JSON) expect([text, await score(text)]).toEqual([text, 2]);
    await alice.query('reset pgscore.execution');
  },
);

test('of a bound table, and as an argument, it is the number that it is', async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query(`select pgscore.bind('sum', 'written')`);
  const exact = 1 + 10 * Math.fround(0.1);
  expect(exact).not.toBe(2);
  for (const text of [BY_JSON[0] ?? '', 'select pgscore_models.sum_v1(a, b) as score from written'])
    expect([text, await score(text)]).toEqual([text, expect.closeTo(exact, 12)]);
  expect(await score(`select score('sum', to_jsonb(w)) from written w`)).toBe(2);
});
