import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

/** a + 10 b, then b + 10 a. */
beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await ada.query(`select pgscore.promote('sum@1')`);
  await ada.query(`set statement_timeout = '10s'`);
  await superuser.query('grant usage on schema alice to pgscore_owner; grant usage on schema alice to ada');
  await alice.query('create table points as select i::real as a, (200 - i)::real as b from generate_series(1, 200) i');
  await alice.query(`select pgscore.bind('sum', 'points')`);
});

afterEach(async () => {
  await Promise.all([alice.query('rollback'), ada.query('rollback')]);
  await alice.query('drop index if exists kept');
  await alice.query(`select pgscore.bind('sum', 'points')`);
  await ada.query(`select pgscore.promote('sum@1')`);
});

const KEPT = {
  'an index on the function of the champion': 'create index kept on points (pgscore_models.sum(points))',
  'an index on score()': `create index kept on points (score('sum', points))`,
  'a part of an index by the champion': 'create index kept on points (a) where pgscore_models.sum(points) > 100',
};

describe.each(Object.entries(KEPT))('%s', (_, create) => {
  test.each([
    ['promote', `select pgscore.promote('sum@2')`],
    ['set_alias', `select pgscore.set_alias('sum@2', 'champion')`],
    ['rollback', `select pgscore.rollback('sum')`],
  ])('has %s refused, which would leave it with scores of two versions', async (_action, change) => {
    await ada.query(`select pgscore.promote('sum@2'), pgscore.promote('sum@1')`);
    await alice.query(create);
    expect(await refusal(ada, change)).toMatchObject({
      code: '2BP01',
      message: 'index alice.kept goes by the champion of model "sum", and would be of two versions',
      hint: expect.stringContaining('pgscore_models.sum_v1(alice.points)'),
    });
    await alice.query('drop index kept');
    await ada.query(change);
  });

  test('holds up no deployer who unbinds the table: its functions refuse then, instead of a wrong answer', async () => {
    await alice.query(create);
    await ada.query(`select pgscore.unbind('sum', relation) from pgscore.bindings`);
    await ada.query(`select pgscore.promote('sum@2')`);
    const find = 'select count(*) from points p where pgscore_models.sum(p) > 100';
    expect(await refusal(alice, find)).toMatchObject({ code: '55000' });
  });
});

test('an index on the function of a version, or on score() of one, holds nothing up', async () => {
  await alice.query('create index kept on points (pgscore_models.sum_v1(points))');
  await alice.query(`create index kept_too on points (score('sum@1', points))`);
  await alice.query(`create index kept_by_name on points (score(model => 'sum@1', features => points))`);
  await ada.query(`select pgscore.promote('sum@2')`);
  await alice.query('drop index kept_too, kept_by_name');
});

describe.each([
  [`score('su' || 'm', points)`, 'which is joined'],
  [`score(lower('SUM'), points)`, 'which is folded'],
  [`score('sum'::varchar, points)`, 'of another type'],
  [`round(score(replace('sum@2', '@2', ''), points)::numeric)`, 'which is replaced'],
])('an index on %s, %s', (expression) => {
  test.each([
    ['in it', `(${expression})`, ''],
    ['in its condition', 'a', `where ${expression} > 100`],
  ])('%s has another champion refused as one by the name itself', async (_, column, where) => {
    const create = `create index kept on points (${column}) ${where}`;
    await alice.query(create);
    expect(await refusal(ada, `select pgscore.promote('sum@2')`)).toMatchObject({
      code: '2BP01',
      message:
        'index alice.kept (by a score() whose model is computed) goes by the champion of model "sum", and would be of two versions',
    });
    await alice.query('drop index kept');
    await ada.query(`select pgscore.promote('sum@2')`);
  });
});

test('an index that names its version holds nothing up, whatever texts are beside it', async () => {
  await alice.query(`create index kept on points (score('sum@1', points), (('score(' || lower('SUM')) || a::int))`);
  await ada.query(`select pgscore.promote('sum@2')`);
});

test('the present champion may be promoted again', async () => {
  await alice.query('create index kept on points (pgscore_models.sum(points))');
  await ada.query(`select pgscore.promote('sum@1')`);
});

describe.each(Object.entries(KEPT))('%s that is being made', (_, create) => {
  test('has promote refused until it is known whether it goes by the champion', async () => {
    await alice.query('begin');
    await alice.query(create);
    expect(await refusal(ada, `select pgscore.promote('sum@2')`)).toMatchObject({
      code: '55006',
      message: 'an index of alice.points is being made, which may go by the champion of model "sum"',
    });
    await alice.query('commit');
    expect(await refusal(ada, `select pgscore.promote('sum@2')`)).toMatchObject({ code: '2BP01' });
  });

  test('holds up no deployer who unbinds the table: its functions refuse then, instead of a wrong answer', async () => {
    await alice.query('begin');
    await alice.query(create);
    await ada.query(`select pgscore.unbind('sum', 'alice.points')`);
    await ada.query(`select pgscore.promote('sum@2')`);
    await alice.query('commit');
    const find = 'select count(*) from points p where pgscore_models.sum(p) > 100';
    expect(await refusal(alice, find)).toMatchObject({ code: '55000' });
  });

  test('while a promotion is not committed has that refused in the end', async () => {
    await ada.query('begin');
    await ada.query(`select pgscore.promote('sum@2')`);
    await alice.query(create);
    expect(await refusal(ada, 'commit')).toMatchObject({ code: '2BP01' });
    const champion = `select version from pgscore.models where model = 'sum' and 'champion' = any (aliases)`;
    expect((await ada.query(champion)).rows).toEqual([{ version: 1 }]);
  });
});

test('an index on the function of a version that is being made at the time of a promotion keeps its scores', async () => {
  await ada.query('begin');
  await ada.query(`select pgscore.promote('sum@2')`);
  await alice.query('create index kept on points (pgscore_models.sum_v1(points))');
  await ada.query('commit');
});
