import { beforeAll, describe, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice, bob } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await alice.query('create table points (id int primary key, a real, b double precision, note text)');
  await alice.query('insert into points values (1, 1, 2), (2, 3, 4)');
});

async function plan(text: string): Promise<string> {
  const explain = `explain (verbose, costs off) ${text}`;
  const { rows } = await alice.query<{ 'QUERY PLAN': string }>(explain);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

async function value(text: string): Promise<unknown> {
  const { rows } = await alice.query<Record<string, unknown>>(text);
  return Object.values(rows[0] ?? {})[0];
}

describe('binding a model to a table', () => {
  test('takes a schema whose types pgscore may use, and says what to grant', async () => {
    expect(await refusal(alice, `select pgscore.bind('sum', 'points')`)).toMatchObject({
      code: '42501',
      hint: 'grant usage on schema alice to pgscore_owner;',
    });
    await superuser.query('grant usage on schema alice to pgscore_owner');
  });

  test('is the right of its owner alone', async () => {
    await superuser.query('grant usage on schema alice to bob');
    expect(await refusal(bob, `select pgscore.bind('sum', 'alice.points')`)).toMatchObject({
      code: '42501',
      message: 'only the owner of alice.points may bind a model to it',
    });
  });

  test('leaves nothing of score() in the plan but the model', async () => {
    expect(await plan(`select score('sum', p) from points p`)).toContain('_score');
    expect(await value(`select pgscore.bind('sum', 'points')`)).toBe('pgscore_models.sum(alice.points)');
    const inlined = await plan(`select score('sum', p) from points p`);
    expect(inlined).toContain('pgscore_models._v');
    expect(inlined).not.toMatch(/score\(|sum/);
    const { rows } = await alice.query(`select score('sum', p) as score from points p order by id`);
    expect(rows).toEqual([{ score: 21 }, { score: 43 }]);
  });

  test('gives a typed function for the champion and for each version, by row and by features', async () => {
    expect(await value(`select pgscore_models.sum(p) from points p where id = 2`)).toBe(43);
    expect(await value(`select pgscore_models.sum_v1(p) from points p where id = 2`)).toBe(43);
    expect(await value(`select pgscore_models.sum_v1(3, 4)`)).toBe(43);
    expect(await value(`select pgscore_models.sum_v1(b => 4, a => 3)`)).toBe(43);
    expect(await value(`select pgscore_models.sum_v1(null::points)`)).toBeNull();
    expect((await refusal(alice, `select pgscore_models.sum_v1(3, null)`)).code).toBe('22004');
  });

  test('still takes the other notations, and models that are not bound', async () => {
    expect(await value(`select score('sum@1', p) from points p where id = 1`)).toBe(21);
    expect(await value(`select score('sum@champion', p) from points p where id = 1`)).toBe(21);
    expect(await value(`select score(m, p) from points p, (values ('sum')) m (m) where id = 1`)).toBe(21);
    expect((await refusal(alice, `select score('other', p) from points p`)).message).toBe(
      'model "other" does not exist',
    );
  });

  test('gives NULL for the row that an outer join did not find', async () => {
    const { rows } = await alice.query(
      `select n, score('sum', p) as score from (values (1), (9)) k (n) left join points p on p.id = k.n order by n`,
    );
    expect(rows).toEqual([
      { n: 1, score: 21 },
      { n: 9, score: null },
    ]);
  });

  test('leaves the rows of its partitions and children what they were, by their own names, until they are bound too', async () => {
    await alice.query('create table parts (a real, b double precision, k int) partition by list (k)');
    await alice.query(
      'create table part partition of parts for values in (1); create table child (c real) inherits (points)',
    );
    await alice.query('insert into parts values (1, 2, 1); insert into child values (1, 1, 2, null, 3)');
    await deployBytes(ada, 'wider', weightedModel({ a: 'float32', c: 'float32' }));
    await alice.query(`select pgscore.bind('sum', 'parts')`);
    expect(await value(`select score('sum', p) from parts p`)).toBe(21);
    expect(await value(`select score('sum', p) from part p`)).toBe(21);
    expect(await value(`select score('sum', k) from child k`)).toBe(21);
    expect(await value(`select score('wider', k) from child k`)).toBe(31);
    await alice.query(`select pgscore.bind('sum', 'part')`);
    expect(await plan(`select score('sum', p) from part p`)).not.toMatch(/score\(|sum/);
    await alice.query(`select pgscore.unbind('sum', 'part'), pgscore.unbind('sum', 'parts')`);
    await alice.query('drop table parts, child');
    await ada.query(`select pgscore.drop_model('wider')`);
  });

  test('serves generated columns and indexes by the functions of a version', async () => {
    await alice.query(
      `create table scored (a real, b real, score float8 generated always as (pgscore_models.sum_v1(a, b)) stored)`,
    );
    await alice.query('insert into scored values (5, 6)');
    expect(await value('select score from scored')).toBe(65);
    await alice.query('drop table scored');
    await alice.query('create index points_score on points (pgscore_models.sum_v1(points))');
    await alice.query('set enable_seqscan = off');
    expect(await plan(`select id from points p where pgscore_models.sum_v1(p) = 43`)).toContain('points_score');
    await alice.query('reset enable_seqscan');
  });

  test('takes a boolean for a whole number in a row, and one by one as an integer', async () => {
    await deployBytes(ada, 'flagged', weightedModel({ flag: 'int64', big: 'int64' }));
    await alice.query('create table flags as select true as flag, 2 as big');
    await alice.query(`select pgscore.bind('flagged', 'flags')`);
    expect(await value('select pgscore_models.flagged_v1(f) from flags f')).toBe(21);
    expect(await value('select pgscore_models.flagged_v1(f.flag::int, f.big) from flags f')).toBe(21);
    expect((await refusal(alice, 'select pgscore_models.flagged_v1(f.flag, f.big) from flags f')).code).toBe('42883');
    await alice.query(`select pgscore.unbind('flagged', 'flags')`);
    await alice.query('drop table flags');
    await ada.query(`select pgscore.drop_model('flagged')`);
  });

  test('reads as a column where its schema is on the path', async () => {
    await alice.query('set search_path = alice, pgscore_models, public');
    expect(await value('select p.sum from points p where id = 1')).toBe(21);
    expect(await value('select p.sum_v1 from points p where id = 1')).toBe(21);
    await alice.query('reset search_path');
  });
});

describe('a promotion', () => {
  test('moves the alias function and prepared plans to the new version, and leaves those of versions', async () => {
    await alice.query(`prepare scoring as select score('sum', p) as score from points p where id = 1`);
    expect((await alice.query('execute scoring')).rows).toEqual([{ score: 21 }]);
    await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
    expect(await value(`select pgscore_models.sum_v2(p) from points p where id = 1`)).toBe(12);
    expect((await alice.query('execute scoring')).rows).toEqual([{ score: 21 }]);
    await ada.query(`select pgscore.promote('sum@2')`);
    expect((await alice.query('execute scoring')).rows).toEqual([{ score: 12 }]);
    expect(await value(`select pgscore_models.sum(p) from points p where id = 1`)).toBe(12);
    expect(await value(`select pgscore_models.sum_v1(p) from points p where id = 1`)).toBe(21);
    await ada.query(`select pgscore.rollback('sum')`);
    expect((await alice.query('execute scoring')).rows).toEqual([{ score: 21 }]);
  });

  test('is refused where the version takes a column that a bound table lacks', async () => {
    await deployBytes(ada, 'sum', weightedModel({ a: 'float32', c: 'float32' }));
    expect(await refusal(ada, `select pgscore.promote('sum@3')`)).toMatchObject({
      code: '2BP01',
      message: 'version "sum@3" does not fit alice.points, to which the model is bound: it has no column for "c"',
    });
    expect(await value(`select score('sum', p) from points p where id = 1`)).toBe(21);
  });

  test('mixes no versions inside a statement', async () => {
    await alice.query('insert into points select n, n, n + 1 from generate_series(10, 100000) n');
    let going = true;
    let promotions = 0;
    const promoting = (async () => {
      for (; going; promotions += 1) await ada.query('select pgscore.promote($1)', [`sum@${(promotions % 2) + 1}`]);
    })();
    let promotedInside = 0;
    for (let turn = 0; turn < 8 || promotedInside < 2; turn += 1) {
      const before = promotions;
      const { rows } = await alice.query(
        `select count(distinct score('sum', p) = a + 10 * b)::int as versions from points p`,
      );
      expect(rows).toEqual([{ versions: 1 }]);
      // One was on its way when the statement was sent; the next began and ended while it ran.
      if (promotions > before + 1) promotedInside += 1;
    }
    going = false;
    await promoting;
    await ada.query(`select pgscore.promote('sum@1')`);
  });
});

describe('a bound table', () => {
  test('cannot lose the version that an index uses, and can lose another', async () => {
    expect(await refusal(alice, `select pgscore.unbind('sum', 'points')`)).toMatchObject({
      code: '2BP01',
      hint: 'Drop these first.',
    });
    expect(await value(`select pgscore_models.sum(p) from points p where id = 1`)).toBe(21);
    await ada.query(`select pgscore.drop_version('sum@3')`);
  });

  test('keeps its functions when the model is renamed, under the new name', async () => {
    await alice.query('drop index points_score');
    await ada.query(`select pgscore.rename_model('sum', 'total')`);
    expect(await value(`select score('total', p) from points p where id = 1`)).toBe(21);
    expect(await value(`select pgscore_models.total_v1(p) from points p where id = 1`)).toBe(21);
    expect((await refusal(alice, `select pgscore_models.sum(p) from points p`)).code).toBe('42883');
    expect((await refusal(alice, `select score('sum', p) from points p`)).message).toBe('model "sum" does not exist');
  });

  test('is free again after unbind', async () => {
    expect(await value(`select pgscore.unbind('total', 'points')`)).toBe('total');
    expect(await value(`select score('total', p) from points p where id = 1`)).toBe(21);
    expect((await alice.query('select * from pgscore.bindings')).rows).toEqual([]);
    await alice.query('drop table points');
  });

  test('that was dropped by cascade holds up neither the model nor another binding', async () => {
    await alice.query('create table points (a real, b double precision); create table others (a real, b real)');
    await alice.query(`select pgscore.bind('total', 'points'), pgscore.bind('total', 'others')`);
    await alice.query('drop table points cascade');
    await alice.query(`select pgscore.unbind('total', 'others'), pgscore.bind('total', 'others')`);
    await ada.query(`select pgscore.drop_model('total')`);
    expect((await alice.query('select * from pgscore.bindings')).rows).toEqual([]);
    await alice.query('drop table others');
  });
});

test('binding a multiclass model, which score() has no branch for, says nothing of its own works', async () => {
  await deployBytes(ada, 'kind', classModel(3), {
    task: 'multiclass',
    class_labels: ['small', 'middle', 'large'],
    features: ['x'],
  });
  const notices: string[] = [];
  alice.on('notice', ({ message = '' }) => notices.push(message));
  await alice.query('create table sizes (x real)');
  await alice.query(`select pgscore.bind('kind', 'sizes')`);
  expect(await value(`select pgscore_models.kind_v1(row(2)::sizes)`)).toBe('large');
  await alice.query(`select pgscore.unbind('kind', 'sizes')`);
  expect(notices).toEqual([]);
});
