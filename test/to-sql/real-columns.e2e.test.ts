import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes, deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

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

test.each(['real', 'double precision'])(
  'a row of %s with a missing value is scored as one with the value that it stands for, however numbers are shown',
  async (type) => {
    const features = Array.from({ length: 20 }, (_, n) => `f${n}`);
    const model = type === 'real' ? 'of_reals' : 'of_doubles';
    const nullValues = Object.fromEntries(features.map((name) => [name, 0.5]));
    await deployModel(ada, model, 'bench/logistic.onnx', { null_values: nullValues });
    const columns = features.map((name, n) => `sin(i * ${n + 1})::${type} as ${name}`);
    const create = `create table ${model}_rows as select i, ${columns.join()} from generate_series(1, 50) i`;
    await alice.query(create);
    await alice.query('select pgscore.bind($1, $2::regclass)', [model, `${model}_rows`]);
    const ask = `select score('${model}', r) as score from ${model}_rows r order by i`;
    const fill = `update ${model}_rows set f0 = 0.5`;
    await alice.query(fill);
    const whole = (await alice.query(ask)).rows;
    const empty = `update ${model}_rows set f0 = null`;
    await alice.query(empty);
    expect((await alice.query(ask)).rows).toEqual(whole);
    await alice.query('set extra_float_digits = -15');
    const written = `create table ${model}_scores as ${ask}`;
    await alice.query(written);
    await alice.query('reset extra_float_digits');
    const kept = `select score from ${model}_scores`;
    expect((await alice.query(kept)).rows).toEqual(whole);
  },
);
