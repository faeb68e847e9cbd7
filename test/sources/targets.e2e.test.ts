import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice, bob] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
]);
await deployBytes(ada, 'sum', weightedModel({ x: 'float32' }));
await deployBytes(ada, 'three', classModel(3), { task: 'multiclass', class_labels: ['a', 'b', 'c'] });
await deployBytes(ada, 'other', classModel(3), { task: 'multiclass', class_labels: ['a', 'b', 'd'] });
for (const client of [alice, bob]) {
  await client.query(
    `create table points (id int primary key, x real, code text); insert into points values (1, 1, 'one'), (2, 2, 'two')`,
  );
}

const SCORE = `select pgscore.score_table($1, 'points', target => $2, key => $3)`;

describe('a target', () => {
  test('is two views that the requester owns, described column by column', async () => {
    await scoreTable(alice, 'three', 'points', { target: 'classes' });
    const { rows } = await alice.query(
      `select c.relname, pg_get_userbyid(c.relowner) as owner, obj_description(c.oid) as what,
              (select count(*)::int from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and col_description(c.oid, a.attnum) is null) as silent
         from pg_class c where c.relname like 'classes%' order by 1`,
    );
    expect(rows).toEqual([
      { relname: 'classes', owner: 'alice', what: 'The latest prediction for each key.', silent: 0 },
      { relname: 'classes_history', owner: 'alice', what: 'Every prediction that a finished run made.', silent: 0 },
    ]);
  });

  test('is read by those to whom she grants it, and by nobody else', async () => {
    await superuser.query('grant usage on schema alice to bob');
    expect((await refusal(bob, 'select * from alice.classes')).code).toBe('42501');
    await alice.query('grant select on classes to bob');
    expect((await bob.query('select id, label from alice.classes order by id')).rows).toEqual([
      { id: 1, label: 'b' },
      { id: 2, label: 'c' },
    ]);
    expect((await refusal(bob, 'select * from alice.classes_history')).code).toBe('42501');
  });

  test('is used again by a run of the same shape, and its view made again where it was dropped', async () => {
    await alice.query('drop view classes');
    const run = await scoreTable(alice, 'three', 'points', { target: 'classes' });
    expect((await alice.query('select distinct run_id from classes')).rows).toEqual([{ run_id: run.run }]);
  });

  test('has a default name, and shows in pgscore.targets', async () => {
    await scoreTable(alice, 'sum', 'points');
    const { rows } = await alice.query(`select target, task, key, rows from pgscore.targets order by target`);
    expect(rows).toEqual([
      { target: 'alice.classes', task: 'multiclass', key: 'id integer', rows: '2' },
      { target: 'alice.points_scores', task: 'regression', key: 'id integer', rows: '2' },
    ]);
  });
});

describe('a target is refused at once', () => {
  test.each([
    ['a table', 'create table taken as select 1 as x'],
    ['a view of hers', 'create view taken as select 1 as x'],
    ['a sequence', 'create sequence taken'],
  ])('where its name belongs to %s', async (_, create) => {
    await alice.query(create);
    expect(await refusal(alice, SCORE, ['sum', 'taken', 'id'])).toMatchObject({
      code: '42P07',
      message: '"alice.taken" already exists and is not a target',
      hint: expect.stringContaining('target =>'),
    });
    await alice.query(create.replace(/^create (\w+) (\w+).*$/s, 'drop $1 $2'));
  });

  test('where the name of its history is taken, and leaves nothing behind', async () => {
    await alice.query('create table fresh_history (x int)');
    expect(await refusal(alice, SCORE, ['sum', 'fresh', 'id'])).toMatchObject({
      code: '42P07',
      message: '"alice.fresh_history" already exists and is not a target',
    });
    expect((await alice.query(`select target from pgscore.targets where target = 'alice.fresh'`)).rows).toEqual([]);
    expect((await alice.query(`select to_regclass('fresh') as view`)).rows).toEqual([{ view: null }]);
  });

  test('where it has another task, other classes, another key or key type', async () => {
    const refused = await refusal(alice, SCORE, ['sum', 'classes', 'id']);
    expect(refused).toMatchObject({
      code: '42804',
      message: 'target "alice.classes" has another shape',
      detail:
        'It holds multiclass predictions keyed by id integer of a, b, c; this run gives regression keyed by id integer.',
      hint: expect.stringContaining('drop_target'),
    });
    expect((await refusal(alice, SCORE, ['other', 'classes', 'id'])).detail).toContain('of a, b, d');
    expect((await refusal(alice, SCORE, ['three', 'classes', 'code'])).detail).toContain('keyed by code text');
  });

  test('where it belongs to another role', async () => {
    await superuser.query('grant create on schema alice to bob');
    const text = `select pgscore.score_table('three', 'points', target => 'classes', target_schema => 'alice')`;
    expect((await refusal(bob, text)).code).toMatch(/^(42501|42P07)$/);
    expect((await refusal(bob, `select pgscore.drop_target('alice.classes')`)).code).toBe('42704');
  });

  test('where she may create nothing in its schema, or the schema is not there', async () => {
    const text = `select pgscore.score_table('sum', 'points', target => 'p', target_schema => $1)`;
    expect(await refusal(alice, text, ['bob'])).toMatchObject({
      code: '42501',
      message: 'permission denied for schema bob',
    });
    expect((await refusal(alice, text, ['nowhere'])).code).toBe('3F000');
    expect((await refusal(alice, text, ['pgscore_data'])).code).toBe('42501');
    expect((await refusal(alice, text, ['pg_catalog'])).code).toBe('42501');
  });

  test.each(['pgscore_sources', 'pgscore', 'pgscore_predictions'])('in %s, which is of pgscore', async (schema) => {
    const text = `select pgscore.score_table('sum', 'points', target => 'p', target_schema => $1)`;
    expect(await refusal(alice, text, [schema])).toMatchObject({
      code: '42501',
      message: `target_schema => '${schema}' is a schema of pgscore`,
      hint: expect.stringContaining('Name a schema of yours'),
    });
  });

  test('where a new champion has other classes, or the same in another order', async () => {
    const task = { task: 'multiclass' };
    await deployBytes(ada, 'tempers', classModel(3), { ...task, class_labels: ['calm', 'glad', 'sad'] });
    expect(await scoreTable(alice, 'tempers', 'points', { target: 'tempers' })).toMatchObject({ state: 'done' });
    const before = (await alice.query('select * from tempers order by id')).rows;
    await alice.query(`select pgscore.schedule('tempers', '@yearly', 'tempers', 'points', target => 'tempers')`);
    for (const [version, labels] of [
      ['tempers@2', ['calm', 'glad', 'shy']],
      ['tempers@3', ['sad', 'glad', 'calm']],
    ] as const) {
      await deployBytes(ada, 'tempers', classModel(3), { ...task, class_labels: labels });
      await ada.query('select pgscore.promote($1)', [version]);
      const shape = {
        code: '42804',
        message: 'target "alice.tempers" has another shape',
        detail: `It holds multiclass predictions keyed by id integer of calm, glad, sad; this run gives multiclass keyed by id integer of ${labels.join(', ')}.`,
        hint: 'Choose another target, or select pgscore.drop_target(target) first.',
      };
      expect(await refusal(alice, SCORE, ['tempers', 'tempers', 'id'])).toMatchObject(shape);
      expect(await refusal(alice, `select pgscore.run_schedule('tempers')`)).toMatchObject({
        code: '42804',
        message: `schedule "tempers" cannot write to its target: ${version} does not fit it: it says ${labels.join(', ')}, and alice.tempers holds calm, glad, sad`,
      });
    }
    expect((await alice.query('select * from tempers order by id')).rows).toEqual(before);
  });
});

describe('a dropped target', () => {
  test('is refused while a view of hers depends on it, and then goes with all it holds', async () => {
    await alice.query('create view mine as select * from classes');
    expect((await refusal(alice, `select pgscore.drop_target('classes')`)).code).toBe('2BP01');
    expect((await alice.query('select count(*)::int as rows from mine')).rows).toEqual([{ rows: 2 }]);
    await alice.query('drop view mine');
    await alice.query(`select pgscore.drop_target('alice.classes')`);
    expect((await alice.query(`select to_regclass('classes') as view`)).rows).toEqual([{ view: null }]);
    const { rows } = await alice.query(`select state, target from pgscore.runs where model = 'three@1'`);
    expect(rows.every(({ state, target }) => state === 'done' && target === null)).toBe(true);
  });

  test('makes room for one of another shape', async () => {
    expect(await scoreTable(alice, 'sum', 'points', { target: 'classes' })).toMatchObject({ state: 'done' });
    expect((await alice.query('select id, score from classes order by id')).rows).toEqual([
      { id: 1, score: 1 },
      { id: 2, score: 2 },
    ]);
  });

  test('goes also where she dropped the type of its key', async () => {
    await alice.query(`grant usage on schema alice to pgscore_owner, pgscore_service; create type mood as enum ('good', 'bad');
      create table moods (k mood primary key, x real); insert into moods values ('good', 1)`);
    expect(await scoreTable(alice, 'sum', 'moods')).toMatchObject({ state: 'done' });
    await alice.query('drop table moods; drop type mood cascade');
    await alice.query(`select pgscore.drop_target('moods_scores')`);
    expect((await alice.query(`select target from pgscore.targets where target like '%moods%'`)).rows).toEqual([]);
  });

  test.each(['nothing', 'alice.nothing', 'a.b.c', '', '"'])('that is not there is said so: %j', async (target) => {
    const refused = await refusal(alice, 'select pgscore.drop_target($1)', [target]);
    expect(refused.code).toMatch(/^(42704|22023|42602)$/);
  });
});
