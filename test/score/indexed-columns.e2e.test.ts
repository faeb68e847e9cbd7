import { beforeAll, beforeEach, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner, ada');
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
});

beforeEach(async () => {
  await alice.query('drop table if exists points cascade');
  await alice.query('create table points as select 1::real as a, 2::real as b, 3::real as "A", 4::real as "B"');
  await alice.query(`select pgscore.bind('sum', 'points')`);
});

const body = async () =>
  (await superuser.query(`select prosrc from pg_proc where oid = 'pgscore_models.sum_v1(alice.points)'::regprocedure`))
    .rows;

const problem = async () =>
  (await alice.query<{ problem: string | null }>('select problem from pgscore.bindings')).rows[0]?.problem;

test.each([
  ['an index', 'create index scores on points (pgscore_models.sum_v1(points))'],
  ['a part of an index', 'create index scores on points (b) where pgscore_models.sum_v1(points) > 0'],
])('%s keeps its function to the columns that it was made of', async (_, index) => {
  await alice.query(index);
  await alice.query('alter table points drop column a');
  const before = await body();
  await ada.query(`select pgscore.promote('sum@2')`);
  await ada.query(`select pgscore.promote('sum@1')`);
  expect(await body()).toEqual(before);
  const why = 'index alice.scores keeps scores of its column "a", and sum_v1() would take "A" instead';
  expect(await problem()).toBe(`set aside; bind it again. The reason was: ${why}`);
  expect(await refusal(alice, `select pgscore.bind('sum', 'points')`)).toMatchObject({
    code: '55000',
    message: `model "sum" cannot be bound to alice.points: ${why}`,
  });
  await alice.query('drop index scores');
  await alice.query(`select pgscore.bind('sum', 'points')`);
  expect(await problem()).toBeNull();
  await alice.query(index);
  expect((await alice.query(`select score('sum', p), pgscore_models.sum_v1(p) as first from points p`)).rows).toEqual([
    { score: 23, first: 23 },
  ]);
});

test('a function of which there is no index goes by the names of the columns, from the next change on', async () => {
  await alice.query('alter table points drop column a');
  await ada.query(`select pgscore.promote('sum@2')`);
  await ada.query(`select pgscore.promote('sum@1')`);
  expect((await alice.query(`select score('sum', p), pgscore_models.sum_v1(p) as first from points p`)).rows).toEqual([
    { score: 23, first: 23 },
  ]);
});

test('an index whose columns are as they were holds up no version', async () => {
  await alice.query('create index scores on points (pgscore_models.sum_v1(points))');
  await ada.query(`select pgscore.promote('sum@2')`);
  await ada.query(`select pgscore.promote('sum@1')`);
  expect(await problem()).toBeNull();
  await alice.query(`select pgscore.bind('sum', 'points')`);
});
