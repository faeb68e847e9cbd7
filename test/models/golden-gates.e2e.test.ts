import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes, deployModel } from '../support/deploy.ts';
import { goldenModel, goldenRows } from '../support/golden-models.ts';
import { loadRows } from '../support/load-rows.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const service = await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

// x counts once and z ten times; in the second version the other way round.
for (const [model, native] of [
  ['native', true],
  ['online', false],
] as const) {
  await deployBytes(ada, model, weightedModel({ x: 'float64', z: 'float64' }), { native });
  await deployBytes(ada, model, weightedModel({ z: 'float64', x: 'float64' }), { native });
}
await ada.query(`create table wanted (id int, "Z" real, x numeric, plan char(8), expected_score double precision, label text)`);
await ada.query(`insert into wanted select n, n, 2 * n, 'a', 12 * n, 'a' from generate_series(1, 50) n`);

async function check(version: string): Promise<unknown[]> {
  return (await ada.query(`select passed, value, low, high, needs, reason from pgscore.check_gates($1)`, [version])).rows;
}

const NOTHING = { low: null, high: null, needs: null };

describe.each(['native', 'online'])('golden rows of a model that is %s', (model) => {
  test('are copied, and each version is asked for its predictions of them', async () => {
    const set = `select pgscore.set_gate('${model}', 'golden', source => 'wanted', expected => 'expected_score') as gate`;
    expect((await ada.query(set)).rows).toEqual([{ gate: 'golden' }]);
    await ada.query(`update wanted set expected_score = 0`);
    expect(await check(`${model}@1`)).toEqual([{ ...NOTHING, passed: true, value: 0, reason: '50 rows are as expected' }]);
    await ada.query(`update wanted set expected_score = 12 * id`);
    expect(await check(`${model}@2`)).toEqual([
      {
        ...NOTHING,
        passed: false,
        value: 0.75,
        reason: expect.stringMatching(/^50 of 50 rows differ: 21 instead of 12 for \{"Z": 1, "x": 2, .*"id": 1.*\}$/),
      },
    ]);
    expect((await refusal(ada, `select pgscore.promote('${model}@2')`)).detail).toMatch(/^golden: 50 of 50 rows differ/);
    const command = `insert into pgscore._command (action, model, options) values ('promote', '${model}@2', '{"force": true}')`;
    expect((await refusal(ada, command)).code).toBe('55000');
  });

  test('may be off by the tolerance, and by rollback() the champion of before comes back', async () => {
    const set = `select pgscore.set_gate('${model}', 'golden', source => 'wanted', expected => 'expected_score', tolerance => 0.75)`;
    await ada.query(set);
    expect(await check(`${model}@2`)).toMatchObject([{ passed: true, value: 0.75 }]);
    await ada.query('begin');
    await ada.query('select pgscore.promote($1)', [`${model}@2`]);
    await ada.query('commit');
    await ada.query(set.replace('0.75', '0'));
    expect((await refusal(ada, `select pgscore.set_alias('${model}@2', 'champion'), pgscore.promote('${model}@x')`)).code).toBe('42704');
    expect((await ada.query('select pgscore.rollback($1) as version', [model])).rows).toEqual([{ version: `${model}@1` }]);
    expect((await refusal(ada, `select pgscore.promote('${model}@2')`)).code).toBe('55000');
  });
});

test('golden labels are compared with those of a classifier', async () => {
  const iris = goldenModel('iris_multiclass');
  await loadRows(ada, 'irises', [iris.key, ...iris.features, { name: 'expected_label', type: 'text' }], goldenRows(iris));
  await deployModel(ada, 'iris', `test/models/${iris.file}`, iris.deploy);
  await ada.query(`select pgscore.set_gate('iris', 'golden', source => 'irises', expected => 'expected_label')`);
  await ada.query(`update irises set expected_label = 'rose' where ctid = '(0,1)'`);
  await ada.query(`select pgscore.set_gate('iris', 'golden', source => 'irises', expected => 'expected_label', name => 'rose')`);
  expect(await check('iris@1')).toMatchObject([
    { passed: true, value: 0 },
    { passed: false, value: 1, reason: expect.stringMatching(/^1 of \d+ rows differ: \w+ instead of rose for \{/) },
  ]);
});

test('golden rows may have a column of any name', async () => {
  await ada.query(`create view named_s as select id as s, "Z", x as x, expected_score as e from wanted`);
  await ada.query(`select pgscore.set_gate('native', 'golden', source => 'named_s', expected => 'e', name => 'named')`);
  expect(await check('native@1')).toMatchObject([{ passed: true }, { passed: true }]);
  await ada.query(`select pgscore.drop_gate('native', 'named')`);
});

test('a row that a version cannot score is a difference that is named', async () => {
  await ada.query(`create view narrow as select id, x, expected_score from wanted`);
  await ada.query(`select pgscore.set_gate('native', 'golden', source => 'narrow', expected => 'expected_score')`);
  expect(await check('native@1')).toMatchObject([{ passed: false, value: null, needs: null, reason: expect.stringContaining('"z"') }]);
});

test.each([
  [`source => 'wanted', expected => 'nothing'`, '42703', 'wanted has no column "nothing"', 'It has id, "Z", x,'],
  [`source => 'wanted'`, '22023', 'it needs expected', 'It needs source and expected'],
  [`source => 'wanted', expected => 'id', margin => 1`, '22023', 'it takes no margin', 'may have tolerance'],
  [`source => 'wanted', expected => 'id', tolerance => -1`, '22023', 'tolerance is a number from 0 on', 'Leave out'],
  [`source => 'wanted', expected => 'label'`, '22023', 'holds labels, and the model, whose task is regression, has no label', 'Numbers are'],
  [`source => 'gone', expected => 'id'`, '42P01', 'relation "gone" does not exist', undefined],
  [`source => 'empty', expected => 'id'`, '22023', 'empty has no row', 'Give a small table'],
  [`source => 'large', expected => 'id'`, '22023', 'large has more than 1000 rows', 'Give a small table'],
  [`source => 'unknown', expected => 'id'`, '22023', 'unknown has rows where id is NULL', 'Give a small table'],
  [`source => 'infinite', expected => 'id'`, '22023', 'infinite has rows where id is not finite', 'Give a small table'],
  [`source => 'dated', expected => 'id'`, '42804', 'column "id" of ada.dated is neither a number nor a text', 'Numbers are'],
])('a golden gate with %s is refused', async (call, code, message, hint) => {
  await ada.query(`create or replace view empty as select * from wanted where false;
    create or replace view large as select w.* from wanted w, generate_series(1, 21);
    create or replace view unknown as select null::int as id, x, "Z" from wanted;
    create or replace view infinite as select 'NaN'::real as id, x, "Z" from wanted;
    create or replace view dated as select current_date as id, x, "Z" from wanted`);
  expect(await refusal(ada, `select pgscore.set_gate('native', 'golden', ${call})`)).toMatchObject({
    code,
    message: expect.stringContaining(message),
    hint: hint === undefined ? undefined : expect.stringContaining(hint),
  });
});

test('a table of which the caller may not read a row makes no gate', async () => {
  await alice.query('create table secret as select 1 as id');
  expect((await refusal(ada, `select pgscore.set_gate('native', 'golden', source => 'alice.secret', expected => 'id')`)).code).toMatch(
    /^(42501|42P01)$/,
  );
});

test('golden rows leave no prediction in the log and the setting of the session as it was; without a service some cannot be asked', async () => {
  await ada.query(`set pgscore.execution = 'auto'`);
  await check('native@1');
  expect((await ada.query('show pgscore.execution')).rows).toEqual([{ 'pgscore.execution': 'auto' }]);
  await service.stop();
  expect((await ada.query(`select count(*)::int as n from pgscore.online_predictions`)).rows).toEqual([{ n: 0 }]);
  expect(await check('online@2')).toMatchObject([{ passed: false, value: null, needs: 'a running service' }]);
  expect((await refusal(ada, `select pgscore.promote('online@2')`)).code).toBe('55000');
  expect(await check('iris@1')).toMatchObject([{ passed: true }, { passed: false, value: 1 }]);
});
