import { beforeAll, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
});

async function value(text: string): Promise<unknown> {
  const { rows } = await alice.query<Record<string, unknown>>(text);
  return Object.values(rows[0] ?? {})[0];
}

test('binding says what is NULL, and what else to bind where a table does not fit', async () => {
  expect(await refusal(alice, `select pgscore.bind('sum', null)`)).toMatchObject({
    code: '22004',
    message: 'the table is NULL',
  });
  expect(await refusal(alice, `select pgscore.bind(null, 'pg_class')`)).toMatchObject({
    code: '22004',
    message: 'the model is NULL',
  });
  expect(await refusal(alice, `select pgscore.bind('sum', 1)`)).toMatchObject({ code: '42P01' });
  await alice.query('create table points (a real, bb real)');
  const refused = await refusal(alice, `select pgscore.bind('sum', 'points')`);
  expect(refused).toMatchObject({ code: '42703', hint: expect.stringContaining('bind a view') });
  expect(refused.hint).not.toContain('column_map');
});

/** The sum of many numbers. */
function addition(names: readonly string[]): Uint8Array {
  return onnxModel({
    metadata: { 'pgscore.features': JSON.stringify(names) },
    inputs: [tensorValue('x', [null, names.length])],
    outputs: [tensorValue('y', [null, 1])],
    tensors: [
      floats(
        'weights',
        [names.length, 1],
        names.map(() => 1),
      ),
    ],
    nodes: [node('MatMul', ['x', 'weights'], ['y'])],
  });
}

test('features may be called as PL/pgSQL calls its arguments', async () => {
  const names = ['$2', '$1', 'found', 'A', 'a'];
  await deployBytes(ada, 'odd', addition(names));
  const create = `create table odd as select ${names.map((name, n) => `${n}::real as "${name}"`).join(', ')}`;
  await alice.query(create);
  await alice.query(`select pgscore.bind('odd', 'odd')`);
  expect(await value(`select pgscore_models.odd(o) from odd o`)).toBe(10);
  expect(await value('select pgscore_models.odd_v1(0, 1, 2, 3, 4)')).toBe(10);
  await alice.query('drop table odd cascade');
});

// PostgreSQL takes no more than a hundred arguments.
test.each([100, 101])(
  'a model of %i features is bound, and takes them one by one where they are 100 at most',
  async (count) => {
    const names = Array.from({ length: count }, (_, index) => `f${index}`);
    await deployBytes(ada, `wide${count}`, addition(names));
    const create = `create table wide as select ${names.map((name) => `2::real as ${name}`).join(', ')}`;
    await alice.query(create);
    try {
      await alice.query(`select pgscore.bind($1, 'wide')`, [`wide${count}`]);
      expect(await value(`select pgscore_models.wide${count}(w) from wide w`)).toBe(2 * count);
      const call = `select pgscore_models.wide${count}_v1(${names.map(() => '1').join(', ')})`;
      const answer = count > 100 ? (await refusal(alice, call)).code : await value(call);
      expect(answer).toBe(count > 100 ? '54023' : count);
    } finally {
      await alice.query('drop table wide cascade');
    }
  },
);

test('the typed function of the champion gives what the task of the champion is, unless a view uses it', async () => {
  await deployBytes(ada, 'turned', weightedModel({ x: 'float32' }));
  const labels = { task: 'multiclass', class_labels: ['small', 'middle', 'large'], features: ['x'] };
  await deployBytes(ada, 'turned', classModel(3), labels);
  await alice.query('create table sizes as select 2::real as x');
  await alice.query(`select pgscore.bind('turned', 'sizes')`);
  await ada.query(`select pgscore.promote('turned@2')`);
  expect(await value('select pgscore_models.turned(s) from sizes s')).toBe('large');
  await ada.query(`select pgscore.rollback('turned')`);
  await alice.query('create view used as select pgscore_models.turned(s) as score from sizes s');
  expect(await value('select score from used')).toBe(2);
  await ada.query(`select pgscore.promote('turned@2')`);
  expect((await refusal(alice, 'select score from used')).code).toBe('55000');
  expect(await value(`select problem from pgscore.bindings where model = 'turned'`)).toContain('set aside');
  await ada.query(`select pgscore.rollback('turned')`);
  expect(await value('select score from used')).toBe(2);
  await alice.query('drop table sizes cascade');
});
