import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, alice } = await scoreFixture();
const serverVersion = await serverVersionOf(superuser);

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

/** The sum, and how PostgreSQL got it: with the workers that it started, not only planned. */
async function executed(text: string): Promise<{ sum: unknown; plan: string }> {
  const explain = `explain (analyze, costs off, timing off, summary off) ${text}`;
  const lines = (await alice.query<{ 'QUERY PLAN': string }>(explain)).rows.map((row) => row['QUERY PLAN']);
  return { sum: (await alice.query<{ sum: number }>(text)).rows[0]?.sum, plan: lines.join('\n') };
}

const CALLS = [`score('sum', p)`, `score('sum', to_jsonb(p)::text)`, `(pgscore.predict('sum', p) ->> 'value')::float8`];

test.each(['native', 'online'])('a query that PostgreSQL runs with workers may call score(), %s', async (way) => {
  await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
  for (const call of CALLS) {
    const { sum, plan } = await executed(
      `select sum(s)::int as sum from (select ${call} as s from points p where id < 200 offset 0) x`,
    );
    expect(sum).toBe(900);
    // The workers read the rows, and the leader scores them; before 17 the call keeps the query to one process.
    if (serverVersion < 170_000) expect(plan).not.toContain('Workers');
    else expect(plan).toMatch(/Workers Launched: [12]/);
  }
  await alice.query('reset pgscore.execution');
});

test('the function of a bound model runs in the workers, and in them alone where the leader may not help', async () => {
  await alice.query(`select pgscore.bind('sum', 'points')`);
  await alice.query('set parallel_leader_participation = off');
  const { sum, plan } = await executed('select sum(pgscore_models.sum(p))::int as sum from points p');
  expect(sum).toBe(90_000);
  const workers = Number(/Workers Launched: (\d)/.exec(plan)?.[1]);
  expect(workers).toBeGreaterThan(0);
  expect(plan).toMatch(new RegExp(`Partial Aggregate .*loops=${workers}\\)`));
  await alice.query('reset parallel_leader_participation');
  await alice.query(`select pgscore.unbind('sum', 'points')`);
});
