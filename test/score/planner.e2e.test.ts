import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { DataType, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { service, superuser, ada, alice } = await scoreFixture();

const ROWS = 10_000;

beforeAll(async () => {
  await deployBytes(ada, 'native', weightedModel({ a: 'float32' }));
  const erf = onnxModel({
    inputs: [tensorValue('a', [null, 1], DataType.FLOAT)],
    nodes: [node('Erf', ['a'], ['y'])],
  });
  await deployBytes(ada, 'online', erf, { features: ['a'] });
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query(`create table points as select n as id, n::real as a from generate_series(1, $1::int) n`, [ROWS]);
  await alice.query('analyze points');
  await alice.query(`set max_parallel_workers_per_gather = 0`);
  await alice.query(`create table bound (like points); insert into bound select * from points; analyze bound`);
  await alice.query(`select pgscore.bind('native', 'bound'), pgscore.bind('online', 'bound')`);
  // To plan is to ask nothing.
  await service.stop();
});

const MANY = `pgscore.score_rows('online', array(select p from points p))`;

test.each([`select s.score from ${MANY} s`, `select (${MANY}).score`])(
  'EXPLAIN of score_rows() asks no service: %s',
  async (text) => {
    await expect(planOf(text)).resolves.toHaveProperty('Plan Rows');
  },
);

test('score_rows() is estimated at as much as score() of the rows that it is taken to have', async () => {
  const plan = await planOf(`select s.score from ${MANY} s`);
  expect(plan['Plan Rows']).toBe(1000);
  const each = await planOf(`select score('online', p) from points p limit 1000`);
  expect(plan['Total Cost'] / each['Total Cost']).toBeCloseTo(1, 1);
});

type Plan = { 'Total Cost': number; 'Plan Rows': number; Filter?: string };

async function planOf(text: string): Promise<Plan> {
  const explain = `explain (format json) ${text}`;
  const { rows } = await alice.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(explain);
  return rows[0]!['QUERY PLAN'][0].Plan;
}

/** What a call adds to a row, in pages read. */
async function costOf(call: string): Promise<number> {
  const [plain, scored] = [await planOf('select id from bound b'), await planOf(`select ${call} from bound b`)];
  return (scored['Total Cost'] - plain['Total Cost']) / ROWS;
}

const CALLS = [`score('native', p)`, `score('online', p)`, `(pgscore.predict('online', p) ->> 'value')::real`];

test.each(CALLS)('EXPLAIN of %s asks no service, wherever in the query it stands', async (call) => {
  const everywhere = planOf(`select ${call} from points p where ${call} > 1 order by ${call}`);
  await expect(everywhere).resolves.toHaveProperty('Plan Rows');
});

test.each(CALLS)('every other condition is tried before %s', async (call) => {
  const { Filter } = await planOf(`select from points p where ${call} > 0.5 and a < 10 and id % 7 = 3`);
  expect(Filter).toMatch(/^\(\(a < .*\) AND \(\(id % 7\) = 3\) AND .*pgscore_models\./);
});

test('a call of the service is estimated at far more than a computed one, and that at more than a comparison', async () => {
  expect(await costOf(`b.a > 1`)).toBeLessThan(0.1);
  const [native, online] = [await costOf(`pgscore_models.native(b)`), await costOf(`pgscore_models.online(b)`)];
  expect(native).toBeGreaterThan(0.1);
  expect(native).toBeLessThan(20);
  expect(online).toBeGreaterThan(100);
});
