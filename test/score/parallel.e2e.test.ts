import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** A sum over so many rows that the planner, which is told that workers cost nothing, reads them with several. */
beforeAll(async () => {
  await deployBytes(await database.client('ada'), 'sum', weightedModel({ a: 'float64' }));
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query('create table points as select n as id, (n % 10)::float8 as a from generate_series(1, 20000) n');
  await alice.query('analyze points');
  for (const setting of ['parallel_setup_cost', 'parallel_tuple_cost', 'min_parallel_table_scan_size']) {
    await alice.query("select set_config($1, '0', false)", [setting]);
  }
});

async function sumOf(call: string): Promise<unknown> {
  const text = `select sum(s)::int as sum from (select ${call} as s from points p where id < 200 offset 0) x`;
  return (await alice.query<{ sum: number }>(text)).rows[0]?.sum;
}

test.each(['native', 'online'])('a query that PostgreSQL runs with workers may call score(), %s', async (way) => {
  await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
  expect(await sumOf(`score('sum', p)`)).toBe(900);
  expect(await sumOf(`score('sum', to_jsonb(p)::text)`)).toBe(900);
  expect(await sumOf(`(pgscore.predict('sum', p) ->> 'value')::float8`)).toBe(900);
  await alice.query('reset pgscore.execution');
});

test('the function of a bound model runs in the workers', async () => {
  await alice.query(`select pgscore.bind('sum', 'points')`);
  const explain = `explain (costs off, verbose) select sum(pgscore_models.sum(p)) from points p`;
  const plan = (await alice.query<{ 'QUERY PLAN': string }>(explain)).rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/Partial Aggregate/);
  await alice.query(`select pgscore.unbind('sum', 'points')`);
});
