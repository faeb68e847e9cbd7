import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

/** a + 10 b, then b + 10 a. */
beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await ada.query(`select pgscore.promote('sum@1')`);
  await superuser.query('grant usage on schema alice to pgscore_owner, ada');
  await alice.query('create table points as select i::real as a, (200 - i)::real as b from generate_series(1, 200) i');
  await alice.query('create table others (like points)');
  await alice.query(`select pgscore.bind('sum', 'points')`);
});

describe('what an index may hold', () => {
  afterEach(async () => {
    await alice.query('rollback');
    await alice.query('drop index if exists kept');
    await ada.query(`select pgscore.promote('sum@1')`);
  });

  const CHANGING = [
    'pgscore_models.sum(points)',
    `score('sum', points)`,
    `score('sum@1', points)`,
    `score('su' || 'm', points)`,
    `score(lower('SUM'), points)`,
    `score('sum'::varchar, points)`,
    `score(replace('sum@2', '@2', ''), points)`,
  ];

  describe.each(CHANGING)('what changes with the registry, %s, is kept', (call) => {
    const ofOthers = call.replace('points)', 'row(a, b)::points)');

    test.each([
      ['in no index', `create index kept on points ((${call}))`],
      ['by no condition of an index', `create index kept on points (a) where ${call} > 100`],
      ['in no index of another table', `create index kept on others ((${ofOthers}))`],
      [
        'in no generated column',
        `create table generated (a real, b real, s float8 generated always as (${ofOthers}) stored)`,
      ],
      ['by no partition', `create table parted (a real, b real) partition by range ((${ofOthers}))`],
    ])('%s', async (_, create) => {
      // Of a text that is computed PostgreSQL may find no collation before it finds that it changes.
      expect((await refusal(alice, create)).code).toMatch(/^42P(17|22)$/);
    });

    test('in no row that is scored, which is of the version of its statement', async () => {
      const text = `select sum(${call}) as sum from points`;
      const first = (await alice.query(text)).rows;
      await ada.query(`select pgscore.promote('sum@2')`);
      const second = (await alice.query(text)).rows;
      expect([first, second]).toEqual([[{ sum: 219_100 }], [{ sum: call.includes('@1') ? 219_100 : 220_900 }]]);
    });
  });

  test('an index on the function of a version holds nothing up, and answers who asks by that function', async () => {
    await alice.query('create index kept on points (pgscore_models.sum_v1(points)); analyze points');
    await ada.query(`select pgscore.promote('sum@2')`);
    await alice.query('begin; set local enable_seqscan = off');
    const text = 'explain (costs off) select a from points p where pgscore_models.sum_v1(p) > 1950';
    const { rows } = await alice.query<{ 'QUERY PLAN': string }>(text);
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/Index Scan.* kept|on kept/s);
  });

  test('a version over a column of an enum, whose texts may be renamed, is kept in no index', async () => {
    await deployBytes(ada, 'words', weightedModel({ a: 'float32', tone: 'string' }));
    await alice.query(`create type mood as enum ('red', 'green'); create domain tone as mood`);
    for (const type of ['mood', 'tone']) {
      const table = `create table moods (a real, tone ${type})`;
      await alice.query(table);
      await alice.query(`insert into moods values (1, 'red'), (1, 'green')`);
      await alice.query(`select pgscore.bind('words', 'moods')`);
      expect((await refusal(alice, 'create index on moods (pgscore_models.words_v1(moods))')).code).toBe('42P17');
      const { rows } = await alice.query('select pgscore_models.words_v1(m) as score from moods m');
      expect(rows).toEqual([{ score: 11 }, { score: 21 }]);
      await alice.query('drop table moods cascade');
    }
  });

  test('an index that is being made holds up no promotion', async () => {
    await alice.query('begin; create index kept on points (pgscore_models.sum_v1(points))');
    await expect(ada.query(`select pgscore.promote('sum@2')`)).resolves.toMatchObject({ rowCount: 1 });
    await alice.query('commit');
  });
});

describe('an index of scores whose columns change', () => {
  beforeAll(() => ada.query(`select pgscore.promote('sum@1')`));

  beforeEach(async () => {
    await alice.query('drop table if exists points cascade');
    await alice.query('create table points as select 1::real as a, 2::real as b, 3::real as "A", 4::real as "B"');
    await alice.query(`select pgscore.bind('sum', 'points')`);
  });

  const body = async () =>
    (
      await superuser.query(
        `select prosrc from pg_proc where oid = 'pgscore_models.sum_v1(alice.points)'::regprocedure`,
      )
    ).rows;

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
    expect((await alice.query(`select score('sum', p), pgscore_models.sum_v1(p) as first from points p`)).rows).toEqual(
      [{ score: 23, first: 23 }],
    );
  });

  test('a function of which there is no index goes by the names of the columns, from the next change on', async () => {
    await alice.query('alter table points drop column a');
    await ada.query(`select pgscore.promote('sum@2')`);
    await ada.query(`select pgscore.promote('sum@1')`);
    expect((await alice.query(`select score('sum', p), pgscore_models.sum_v1(p) as first from points p`)).rows).toEqual(
      [{ score: 23, first: 23 }],
    );
  });

  test('an index whose columns are as they were holds up no version', async () => {
    await alice.query('create index scores on points (pgscore_models.sum_v1(points))');
    await ada.query(`select pgscore.promote('sum@2')`);
    await ada.query(`select pgscore.promote('sum@1')`);
    expect(await problem()).toBeNull();
    await alice.query(`select pgscore.bind('sum', 'points')`);
  });
});
