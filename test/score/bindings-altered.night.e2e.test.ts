import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice, bob } = await scoreFixture();

/** a + 10 b, then b + 10 a: on the one row 1, 2 that is 21 and 12. The third needs a column c. */
beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', c: 'float32' }));
  await superuser.query(`create schema attic authorization alice;
    grant usage on schema alice, bob, attic to pgscore_owner; grant usage on schema alice, attic to bob, ada`);
});

beforeEach(async () => {
  await alice.query('create table points as select 1::real as a, 2::real as b');
  await alice.query(`select pgscore.bind('sum', 'points')`);
});

afterEach(async () => {
  await superuser.query('grant usage on schema attic to pgscore_owner');
  await superuser.query(
    'drop table if exists alice.points, alice.moved, alice.points_old, attic.points, bob.points cascade',
  );
  await ada.query(`select pgscore.promote('sum@1')`);
});

async function value(text: string): Promise<unknown> {
  const { rows } = await alice.query<Record<string, unknown>>(text);
  return Object.values(rows[0] ?? {})[0];
}

/** What each way of asking for the champion says of the row of a table: all are to agree. */
async function champion(table: string): Promise<unknown> {
  const call = `select score('sum', p) as score, pgscore_models.sum(p) as typed, score('sum', to_jsonb(p)) as by_name from ${table} p`;
  return (await alice.query(call)).rows[0];
}

async function bindings(): Promise<unknown[]> {
  const { rows } = await bob.query(
    `select relation_schema || '.' || relation_name as table, problem from pgscore.bindings order by 1`,
  );
  return rows;
}

const NEW = { score: 12, typed: 12, by_name: 12 };
const NO_B = 'it has no column for "b"';

describe('a bound table that is', () => {
  test.each([
    ['renamed', 'alter table points rename to moved', 'alice.moved'],
    ['moved to another schema', 'alter table points set schema attic', 'attic.points'],
  ])('%s stays bound', async (_, alter, table) => {
    await alice.query(alter);
    expect(await bindings()).toEqual([{ table, problem: null }]);
    await ada.query(`select pgscore.promote('sum@2')`);
    expect(await champion(table)).toEqual(NEW);
    await alice.query(`select pgscore.unbind('sum', $1)`, [table]);
    const drop = `drop table ${table}`;
    await alice.query(drop);
  });

  test('swapped for another is the one that stays bound, and neither is held fast', async () => {
    await alice.query(`begin; create table points_new as table points; alter table points rename to points_old;
      alter table points_new rename to points; commit`);
    await ada.query(`select pgscore.promote('sum@2')`);
    expect(await champion('points_old')).toEqual(NEW);
    expect(await bindings()).toEqual([{ table: 'alice.points_old', problem: null }]);
    expect((await refusal(alice, `select pgscore.unbind('sum', 'points')`)).code).toBe('42704');
    await alice.query(`select pgscore.bind('sum', 'points'), pgscore.unbind('sum', 'points_old')`);
    await alice.query('drop table points_old');
    expect(await champion('points')).toEqual(NEW);
  });

  test('locked holds up no promotion', async () => {
    await alice.query('begin; lock table points in access exclusive mode');
    try {
      await ada.query(`set statement_timeout = '10s'`);
      await ada.query(`select pgscore.promote('sum@2')`);
    } finally {
      await ada.query('reset statement_timeout');
      await alice.query('rollback');
    }
    expect(await champion('points')).toEqual(NEW);
  });

  test('dropped by cascade leaves nothing behind', async () => {
    await alice.query('drop table points cascade');
    expect(await bindings()).toEqual([]);
    await ada.query(`select pgscore.promote('sum@2')`);
    const left = `select from pg_proc where proname ~ '^_(binding|fits)_[0-9]+$'`;
    expect((await superuser.query(left)).rows).toEqual([]);
    await alice.query('create table points as select 1::real as a, 2::real as b');
    await alice.query(`select pgscore.bind('sum', 'points')`);
    expect(await champion('points')).toEqual(NEW);
  });
});

describe.each([
  ['a column that is gone', 'alter table points rename b to bb', 'alter table points rename bb to b', NO_B],
  [
    'a column of a type that the feature cannot be',
    `alter table points alter b type date using date '2020-01-01'`,
    'alter table points alter b type float8 using 2',
    'its column for "b" has a type that the feature cannot be',
  ],
])('a binding with %s', (_, breaks, repairs, problem) => {
  test('is shown with its problem, is set aside, and holds up nobody', async () => {
    await alice.query(breaks);
    expect(await bindings()).toEqual([{ table: 'alice.points', problem }]);
    await ada.query(`select pgscore.promote('sum@2'), pgscore.set_alias('sum@1', 'challenger')`);
    await ada.query(`select pgscore.rollback('sum'), pgscore.promote('sum@2')`);
    await bob.query('create table points as select 1::real as a, 2::real as b');
    await bob.query(`select pgscore.bind('sum', 'bob.points')`);
    expect((await bob.query('select pgscore_models.sum(p) as score from points p')).rows).toEqual([{ score: 12 }]);
    await ada.query(`select pgscore.rename_model('sum', 'total')`);
    await ada.query(`select pgscore.rename_model('total', 'sum')`);
  });

  test('answers with no champion of before, says why and what to do, and is good again once bound again', async () => {
    await alice.query(breaks);
    await ada.query(`select pgscore.promote('sum@2')`);
    expect(await refusal(alice, 'select pgscore_models.sum(p) from points p')).toMatchObject({
      code: '55000',
      message: `alice.points no longer fits model "sum", to which it is bound: ${problem}`,
      hint: expect.stringContaining(
        `select pgscore.bind('sum', 'alice.points'); or be rid of the functions: select pgscore.unbind(`,
      ),
    });
    expect((await refusal(alice, `select score('sum', p) from points p`)).code).toMatch(/^42(703|804)$/);
    await alice.query(repairs);
    expect(await bindings()).toEqual([
      { table: 'alice.points', problem: `set aside; bind it again. The reason was: ${problem}` },
    ]);
    await alice.query(`select pgscore.bind('sum', 'points')`);
    expect(await bindings()).toEqual([{ table: 'alice.points', problem: null }]);
    expect(await champion('points')).toEqual(NEW);
  });
});

test('a plan that was made before a binding is set aside sees that it is', async () => {
  await alice.query('alter table points add c real');
  await alice.query('prepare typed as select pgscore_models.sum(p) as score from points p');
  for (let turn = 0; turn < 7; turn += 1) await alice.query('execute typed');
  await ada.query(`select pgscore.promote('sum@3')`);
  await alice.query('alter table points drop c');
  await ada.query(`select pgscore.set_alias('sum@1', 'challenger')`);
  expect((await refusal(alice, 'execute typed')).code).toBe('55000');
  await ada.query(`select pgscore.rollback('sum')`);
  expect((await alice.query('execute typed')).rows).toEqual([{ score: 21 }]);
  await alice.query('deallocate typed');
});

describe('a table in a schema that pgscore may no longer use', () => {
  const problem = 'pgscore may not use the types of schema attic: grant usage on schema attic to pgscore_owner';

  beforeEach(async () => {
    await superuser.query('revoke usage on schema attic from pgscore_owner');
    await alice.query('alter table points set schema attic');
  });

  test('is set aside, holds up nobody, and is good again with the grant', async () => {
    expect(await bindings()).toEqual([{ table: 'attic.points', problem }]);
    await ada.query(`select pgscore.promote('sum@2')`);
    await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user'), pgscore.grant_model('sum', 'pgscore_user')`);
    expect(await refusal(alice, 'select pgscore_models.sum(p) from attic.points p')).toMatchObject({
      code: '55000',
      message: expect.stringContaining(problem),
    });
    for (const row of ['p', 'to_jsonb(p)']) {
      expect(await value(`select score('sum', ${row}) from attic.points p`)).toBe(12);
    }
    expect((await refusal(alice, `select pgscore.unbind('sum', 'attic.points')`)).hint).toContain(
      'grant usage on schema',
    );
    await superuser.query('grant usage on schema attic to pgscore_owner');
    await alice.query(`select pgscore.bind('sum', 'attic.points')`);
    expect(await champion('attic.points')).toEqual(NEW);
  });

  test('holds up neither a new name nor the end of a model, and is free once pgscore may use it', async () => {
    await deployBytes(ada, 'short', weightedModel({ a: 'float32' }));
    await superuser.query('grant usage on schema attic to pgscore_owner');
    await alice.query(`select pgscore.bind('short', 'attic.points')`);
    await superuser.query('revoke usage on schema attic from pgscore_owner');
    await ada.query(`select pgscore.rename_model('short', 'brief')`);
    await ada.query(`select pgscore.drop_model('brief')`);
    await superuser.query('grant usage on schema attic to pgscore_owner');
    await alice.query(`select pgscore.unbind('brief', 'attic.points'), pgscore.unbind('sum', 'attic.points')`);
    await alice.query('drop table attic.points');
  });
});

describe('unbinding', () => {
  test('is the right of the owner and of a deployer', async () => {
    expect(await refusal(bob, `select pgscore.unbind('sum', 'alice.points')`)).toMatchObject({
      code: '42501',
      message: 'only the owner of alice.points may unbind a model from it, or a pgscore_deployer',
    });
    expect(await bindings()).toEqual([{ table: 'alice.points', problem: null }]);
    await ada.query(`select pgscore.unbind(model, relation) from pgscore.bindings where relation_name = 'points'`);
    expect(await bindings()).toEqual([]);
    await alice.query('drop table points');
  });

  test('frees a promotion that a table which fits the champion keeps from it', async () => {
    const refused = await refusal(ada, `select pgscore.promote('sum@3')`);
    expect(refused).toMatchObject({
      code: '2BP01',
      message: 'version "sum@3" does not fit alice.points, to which the model is bound: it has no column for "c"',
    });
    expect(await refusal(ada, `select pgscore.set_alias('sum@3', 'champion')`)).toEqual(refused);
    expect(await champion('points')).toEqual({ score: 21, typed: 21, by_name: 21 });
    await ada.query(refused.hint!.replace(/^.*it: /, ''));
    await ada.query(`select pgscore.promote('sum@3')`);
  });

  test('by a deployer leaves functions that are in use, without a say in promotions; a rollback asks nobody', async () => {
    await alice.query('create view scored as select pgscore_models.sum(p) as score from points p');
    const warnings: unknown[] = [];
    ada.on('notice', ({ message }) => warnings.push(message));
    expect((await refusal(alice, `select pgscore.unbind('sum', 'points')`)).code).toBe('2BP01');
    await ada.query(`select pgscore.unbind('sum', 'alice.points')`);
    expect(await value('select score from scored')).toBe(21);
    await ada.query(`select pgscore.promote('sum@3')`);
    expect((await refusal(alice, 'select score from scored')).code).toBe('55000');
    await ada.query(`select pgscore.rollback('sum')`);
    expect(await value('select score from scored')).toBe(21);
    expect(warnings).toEqual([
      expect.stringContaining('alice.points stays bound to model "sum", but holds up no promotion any more'),
      'alice.points no longer fits model "sum", to which it is bound, and is set aside: it has no column for "c"',
    ]);
    await alice.query(`select pgscore.bind('sum', 'points')`);
    expect((await refusal(ada, `select pgscore.promote('sum@3')`)).code).toBe('2BP01');
  });
});

test('a view that uses the functions goes on when the model is renamed', async () => {
  await alice.query(
    'create view scored as select pgscore_models.sum(p) as score, pgscore_models.sum_v1(p) from points p',
  );
  await ada.query(`select pgscore.rename_model('sum', 'total')`);
  await ada.query(`select pgscore.promote('total@2')`);
  expect((await alice.query('select * from scored')).rows).toEqual([{ score: 12, sum_v1: 21 }]);
  await ada.query(`select pgscore.rename_model('total', 'sum')`);
});
