import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner, ada');
  await deployBytes(ada, 'other', weightedModel({ a: 'float32' }));
});

/** a + 10 b, then b + 10 a: on the one row 1, 2 that is 21 and 12. */
beforeEach(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await alice.query('create table points as select 1::real as a, 2::real as b');
  await alice.query(`select pgscore.bind('sum', 'points')`);
});

afterEach(async () => {
  await alice.query('drop view if exists held');
  await alice.query('drop table if exists points cascade');
  await ada.query(`select pgscore.drop_model('sum')`);
  await ada.query(`select pgscore.promote('other@1')`);
  expect(await own()).toEqual([]);
});

/** pgscore's own functions for bound tables. */
async function own(): Promise<unknown[]> {
  const { rows } = await superuser.query<{ name: string }>(
    `select p.oid::regprocedure::text as name from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace
        and (p.proname ~ '^_fits_' or p.proname = '_score' and p.proargtypes[2] = 'name'::regtype) order by 1`,
  );
  return rows.map(({ name }) => name);
}

async function versions(name: string): Promise<[string, string]> {
  const { rows } = await ada.query<{ version: string }>(
    `select $1 || '@' || version as version from pgscore.models where model = $1 and state = 'ready' order by version`,
    [name],
  );
  return [rows[0]!.version, rows[1]!.version];
}

async function everyChange(): Promise<void> {
  const [first, second] = await versions('sum');
  await ada.query(`select pgscore.promote($1), pgscore.set_alias($2, 'challenger')`, [second, first]);
  await ada.query(`select pgscore.rollback('sum')`);
  await ada.query(`select pgscore.rename_model('sum', 'total')`);
  await ada.query(`select pgscore.rename_model('total', 'sum')`);
  await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user'), pgscore.grant_model('sum', 'pgscore_user')`);
}

describe('a view on the score() of a bound table', () => {
  const score = 'pgscore_models._score(text,alice.points,name)';

  beforeEach(async () => {
    const view = `create view held as select pgscore_models._score('sum', p, ''::name) as score from points p`;
    await alice.query(view);
    expect((await alice.query('select * from held')).rows).toEqual([{ score: 21 }]);
  });

  test('holds up nobody once the table fits no more, and is refused as without binding', async () => {
    await alice.query('alter table points rename a to aa');
    await everyChange();
    expect(await own()).toContain(score);
    expect(await refusal(alice, 'select * from held')).toMatchObject({ code: '42703' });
    await ada.query(`select pgscore.drop_model('sum')`);
  });

  test('leaves nothing behind after its end, as the model changes', async () => {
    await alice.query('alter table points rename a to aa');
    await everyChange();
    await alice.query('drop view held');
    await everyChange();
    expect(await own()).not.toContain(score);
    await ada.query(`select pgscore.drop_model('sum')`);
  });

  test('goes on when a deployer unbinds the table, and keeps no other model from a change', async () => {
    await ada.query(`select pgscore.unbind('sum', 'alice.points')`);
    expect(await own()).toEqual([score]);
    expect((await alice.query('select * from held')).rows).toEqual([{ score: 21 }]);
    await everyChange();
    await ada.query(`select pgscore.promote('other@1')`);
    await ada.query(`select pgscore.drop_model('sum')`);
    await alice.query('drop view held');
    await ada.query(`select pgscore.promote('other@1')`);
    await alice.query('drop table points');
  });

  test('has no say in the end of the model', async () => {
    await ada.query(`select pgscore.drop_model('sum')`);
    expect(await own()).toEqual([score]);
  });

  test('holds up no change while what it leaves is being dropped', async () => {
    await ada.query(`select pgscore.drop_model('sum')`);
    await alice.query('begin; drop table points cascade');
    try {
      await ada.query(`set statement_timeout = '10s'`);
      await ada.query(`select pgscore.promote('other@1')`);
    } finally {
      await ada.query('reset statement_timeout');
      await alice.query('rollback');
    }
  });
});

describe('a view on whether a table fits', () => {
  beforeEach(async () => {
    const [fits] = await own();
    const view = `create view held as select ${String(fits)} as fits`;
    await alice.query(view);
  });

  test('holds up nobody once the table is gone, and leaves nothing behind after its end', async () => {
    await alice.query('drop table points cascade');
    await everyChange();
    expect(await own()).toHaveLength(1);
    await alice.query('drop view held');
    await everyChange();
    expect(await own()).toEqual([]);
    await ada.query(`select pgscore.drop_model('sum')`);
  });

  test('has no say in the end of the model or of the binding', async () => {
    await alice.query(`select pgscore.unbind('sum', 'points')`);
    await alice.query('drop table points');
    await ada.query(`select pgscore.drop_model('sum')`);
  });
});

test('a table that is being dropped holds up no change of the model, and is set aside where it stays', async () => {
  const [first, second] = await versions('sum');
  await ada.query(`set statement_timeout = '20s'`);
  await alice.query('begin');
  await alice.query('drop table points cascade');
  await ada.query('select pgscore.promote($1)', [second]);
  await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user')`);
  await alice.query('rollback');
  const ofFirst = `select pgscore_models.${first.replace('@', '_v')}(p) from points p`;
  expect((await refusal(alice, ofFirst)).code).toBe('42501');
  await ada.query(`select pgscore.grant_model('sum', 'pgscore_user')`);
  const bound = `select problem from pgscore.bindings where model = 'sum'`;
  expect((await alice.query(bound)).rows).toEqual([
    { problem: 'set aside; bind it again. The reason was: another transaction was changing it or its functions' },
  ]);
  expect((await refusal(alice, 'select pgscore_models.sum(p) from points p')).code).toBe('55000');
  await alice.query(`select pgscore.bind('sum', 'points')`);
  expect((await alice.query('select pgscore_models.sum(p) as score from points p')).rows).toEqual([{ score: 12 }]);
});
