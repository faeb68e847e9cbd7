import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice, bob } = await scoreFixture();

/** Two versions of sum, a + 10 b and b + 10 a, and another model, 3 a. */
beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await deployBytes(ada, 'risk', weightedModel({ a: 'float32' }));
  await superuser.query('grant usage on schema alice to pgscore_owner, ada, bob');
});

beforeEach(async () => {
  await alice.query('create table points as select 1::real as a, 2::real as b; grant select on points to bob');
  await alice.query('create table others as select 1::real as a, 2::real as b; grant select on others to bob');
});

afterEach(async () => {
  await alice.query('drop table if exists points, others cascade');
  await ada.query(`select pgscore.promote('sum@1')`);
});

const calls = (model: string) => [
  `select score('${model}', p) as score from alice.points p`,
  `select pgscore_models."${model}"(p) as score from alice.points p`,
];

async function scores(model: string, client = alice): Promise<unknown[]> {
  const scored: unknown[] = [];
  for (const call of calls(model)) scored.push((await client.query<{ score: unknown }>(call)).rows[0]?.score);
  return scored;
}

describe('a name that the functions of another bound model have', () => {
  test('is refused to a bound model by rename_model(), as to another by bind()', async () => {
    await alice.query(`select pgscore.bind('risk', 'points'), pgscore.bind('sum', 'others')`);
    for (const name of ['sum_v2', 'sum_v7']) {
      expect(await refusal(ada, `select pgscore.rename_model('risk', '${name}')`)).toMatchObject({
        code: '42723',
        message: `another model's function has a name that model "${name}" needs`,
        hint: 'Choose another name.',
      });
    }
    await alice.query(`select pgscore.unbind('sum', 'others')`);
    await ada.query(`select pgscore.rename_model('risk', 'sum_v2')`);
    expect(await refusal(alice, `select pgscore.bind('sum', 'others')`)).toMatchObject({ code: '42723' });
    expect(await scores('sum_v2')).toEqual([1, 1]);
    await ada.query(`select pgscore.rename_model('sum_v2', 'risk')`);
  });

  test('is as little to be had by that of pgscore itself', async () => {
    await alice.query(`select pgscore.bind('risk', 'points')`);
    expect(await refusal(ada, `select pgscore.rename_model('risk', '_risk')`)).toMatchObject({
      code: '42939',
      hint: 'Choose another name.',
    });
    expect(await scores('risk')).toEqual([1, 1]);
  });

  test('may be that of the functions of the model itself', async () => {
    await alice.query(`select pgscore.bind('sum', 'points')`);
    await alice.query(
      'create view kept as select pgscore_models.sum(p) as score, pgscore_models.sum_v2(p) from points p',
    );
    for (const [old, name] of [
      ['sum', 'sum_v2'],
      ['sum_v2', 'sum'],
    ]) {
      await ada.query('select pgscore.rename_model($1, $2)', [old, name]);
      expect(await scores(name ?? '')).toEqual([21, 21]);
      const second = `select pgscore_models.${name}_v2(p) as score from points p`;
      expect((await alice.query(second)).rows).toEqual([{ score: 12 }]);
      expect((await alice.query('select * from kept')).rows).toEqual([{ score: 21, sum_v2: 12 }]);
    }
  });
});

describe('a model that is not bound and is called as the function of one that is', () => {
  beforeEach(async () => {
    await ada.query(`select pgscore.rename_model('risk', 'sum_v2')`);
  });
  afterEach(async () => {
    await ada.query(`select pgscore.rename_model('sum_v2', 'risk')`);
  });

  const mayCall = async (call: string) => {
    try {
      await bob.query(call);
      return true;
    } catch {
      return false;
    }
  };

  test('neither has its grants given to that function nor takes it along', async () => {
    await alice.query(`select pgscore.bind('sum', 'points')`);
    await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user'), pgscore.grant_model('sum', 'alice')`);
    await ada.query(`select pgscore.revoke_model('sum_v2', 'pgscore_user'), pgscore.grant_model('sum_v2', 'bob')`);
    expect(await mayCall('select pgscore_models.sum_v2(p) from alice.points p')).toBe(false);
    expect(await mayCall('select pgscore_models.sum_v1(p) from alice.points p')).toBe(false);
    expect((await alice.query('select pgscore_models.sum_v2(p) as score from points p')).rows).toEqual([{ score: 12 }]);
    await ada.query(`select pgscore.grant_model('sum_v2', 'pgscore_user'), pgscore.grant_model('sum', 'pgscore_user')`);
    await ada.query(`select pgscore.rename_model('sum_v2', 'risk'), pgscore.rename_model('risk', 'sum_v2')`);
    expect((await alice.query('select pgscore_models.sum_v2(p) as score from points p')).rows).toEqual([{ score: 12 }]);
  });

  test('keeps its own functions, once it is bound, when the version of the other is dropped, granted or renamed', async () => {
    await alice.query(`select pgscore.bind('sum_v2', 'points')`);
    await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user')`);
    expect(await scores('sum_v2', bob)).toEqual([1, 1]);
    await ada.query(`select pgscore.grant_model('sum', 'pgscore_user')`);
    await ada.query(`select pgscore.rename_model('sum', 'total'), pgscore.rename_model('total', 'sum')`);
    expect(await scores('sum_v2')).toEqual([1, 1]);
    await deployBytes(ada, 'sum', weightedModel({ a: 'float32' }));
    await ada.query(`select pgscore.rename_model('sum_v2', 'sum_v3')`);
    await ada.query(`select pgscore.drop_version('sum@3')`);
    expect(await scores('sum_v3')).toEqual([1, 1]);
    await ada.query(`select pgscore.rename_model('sum_v3', 'sum_v2')`);
  });
});

test('what is left of a binding by the features alone is renamed with its model, and is never that of another', async () => {
  await alice.query(`select pgscore.bind('sum', 'points')`);
  await alice.query(
    'create table kept (a float8, b float8, s float8 generated always as (pgscore_models.sum_v1(a, b)) stored)',
  );
  await alice.query('drop table points cascade');
  await ada.query(`select pgscore.promote('sum@2'), pgscore.rename_model('sum', 'old')`);
  await ada.query(`select pgscore.rename_model('risk', 'sum')`);
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await alice.query(`create table points as select 1::real as a, 2::real as b; select pgscore.bind('sum', 'points')`);
  await alice.query('insert into kept values (1, 2)');
  const made = 'select s, pgscore_models.old_v1(1, 2) as now from kept';
  expect((await alice.query(made)).rows).toEqual([{ s: 21, now: 21 }]);
  await alice.query('drop table kept, points cascade');
  await ada.query(
    `select pgscore.promote('sum@1'), pgscore.rename_model('sum', 'risk'), pgscore.rename_model('old', 'sum')`,
  );
});

test('what is left of a binding by the features alone goes on with the grants of its model', async () => {
  await alice.query(`select pgscore.bind('sum', 'points')`);
  await alice.query('drop table points cascade');
  await ada.query(`select pgscore.promote('sum@2'), pgscore.revoke_model('sum', 'pgscore_user')`);
  expect((await refusal(bob, 'select pgscore_models.sum_v1(1, 2)')).code).toBe('42501');
  await ada.query(`select pgscore.grant_model('sum', 'pgscore_user')`);
  expect((await bob.query('select pgscore_models.sum_v1(1, 2) as score')).rows).toEqual([{ score: 21 }]);
});

test('a model that is called as a function of pgscore itself takes no grant of it', async () => {
  await deployBytes(ada, '_route', weightedModel({ a: 'float32' }));
  await ada.query(`select pgscore.revoke_model('_route', 'pgscore_user')`);
  expect((await bob.query(`select score('risk', p) as score from (select 1::real as a) p`)).rows).toEqual([
    { score: 1 },
  ]);
  expect(
    (await superuser.query(`select has_function_privilege('bob', 'pgscore_models._route(text)', 'execute') as may`))
      .rows,
  ).toEqual([{ may: true }]);
  await ada.query(`select pgscore.drop_model('_route')`);
});
