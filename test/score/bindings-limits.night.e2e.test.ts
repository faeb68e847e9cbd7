import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada, alice } = await scoreFixture();
const another = await database.client('alice');

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
  await alice.query('drop table points');
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

describe('two models and one table', () => {
  beforeAll(async () => {
    for (const name of ['sum', 'total', 'third']) {
      if (name !== 'sum') await deployBytes(ada, name, weightedModel({ a: 'float32', b: 'float32' }));
      await deployBytes(ada, name, weightedModel({ b: 'float32', a: 'float32' }));
      await deployBytes(ada, name, weightedModel({ a: 'float32' }));
      await ada.query('select pgscore.promote($1)', [`${name}@1`]);
    }
  });

  beforeEach(async () => {
    await alice.query('create table points as select 1::real as a, 2::real as b');
  });

  afterEach(async () => {
    await alice.query('rollback');
    await alice.query('drop table if exists points cascade');
    for (const name of ['sum', 'total', 'third']) await ada.query('select pgscore.promote($1)', [`${name}@1`]);
  });

  /** Resolves when a session waits for a lock of another, or when it has ended without. */
  async function waitsFor(work: Promise<unknown>): Promise<void> {
    let ended = false;
    const end = (): void => {
      ended = true;
    };
    work.then(end, end);
    const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await waitFor(async () => ended || (await superuser.query(waiting)).rows.length > 0);
  }

  async function scores(): Promise<unknown[]> {
    const { rows } = await alice.query(`select score('sum', p) as sum, score('total', p) as total from points p`);
    return rows;
  }

  test('two models that are bound to one table at once are both bound', async () => {
    await alice.query(`begin; select pgscore.bind('sum', 'points')`);
    const second = another.query(`select pgscore.bind('total', 'points')`);
    await waitsFor(second);
    await alice.query('commit');
    await second;
    expect(await scores()).toEqual([{ sum: 21, total: 21 }]);
    const text = `explain (verbose, costs off) select score('sum', p), score('total', p) from points p`;
    const plan = JSON.stringify((await alice.query(text)).rows);
    expect(plan).not.toContain('_score');
  });

  test('a bind that is left open holds up no promotion of another model that the table is bound to, and nothing for longer than a moment', async () => {
    await alice.query(`select pgscore.bind('sum', 'points'), pgscore.bind('total', 'points')`);
    await alice.query(`begin; select pgscore.bind('third', 'points')`);
    await ada.query(`select pgscore.promote('sum@2'), pgscore.set_alias('total@2', 'challenger')`);
    const held = {
      code: '55P03',
      message: 'another transaction is changing the functions of the rows of alice.points',
      hint: 'Ask again when it has ended; pg_stat_activity lists who has one open.',
    };
    expect(await refusal(another, `select pgscore.unbind('total', 'points')`)).toMatchObject(held);
    expect(await refusal(ada, `select pgscore.drop_version('sum@3')`)).toMatchObject(held);
    expect(await refusal(ada, `select pgscore.rename_model('sum', 'plus')`)).toMatchObject(held);
    await alice.query('commit');
    expect(await scores()).toEqual([{ sum: 12, total: 21 }]);
    expect((await alice.query('select from pgscore.bindings where problem is not null')).rows).toEqual([]);
  });

  test('a deployer is not kept from unbinding by one that is left open: the table has no say any more', async () => {
    await alice.query(`select pgscore.bind('sum', 'points')`);
    await alice.query(`begin; select pgscore.bind('third', 'points')`);
    await ada.query(`select pgscore.unbind('sum', relation) from pgscore.bindings`);
    await alice.query('commit; alter table points drop column b');
    await expect(ada.query(`select pgscore.promote('sum@2')`)).resolves.toMatchObject({ rowCount: 1 });
  });

  test.each([
    ['a promotion', `select pgscore.promote('total@2')`, undefined],
    ['a bind', `select pgscore.bind('third', 'points')`, '40001'],
  ])('%s in a transaction that is older than a change leaves score() as that made it', async (_, change, code) => {
    await alice.query(`select pgscore.bind('sum', 'points'), pgscore.bind('total', 'points')`);
    const older = code === undefined ? ada : another;
    await older.query('begin isolation level repeatable read; select count(*) from pgscore.models');
    const deployer = await database.client('ada');
    await deployer.query(`select pgscore.rename_model('sum', 'plus')`);
    if (code === undefined) await older.query(change);
    else expect((await refusal(older, change)).code).toBe(code);
    await older.query('commit');
    const text = `select score('plus', p) as plus, score('total', p) as total from points p`;
    expect((await alice.query(text)).rows).toEqual([{ plus: 21, total: code === undefined ? 12 : 21 }]);
    await deployer.query(`select pgscore.rename_model('plus', 'sum')`);
  });

  test.each([
    ['unbound', `select pgscore.unbind('sum', 'points')`, 'alice'],
    ['bound', `create table more (like points); select pgscore.bind('sum', 'more')`, 'alice'],
    ['dropped', `select pgscore.drop_version('sum@3')`, 'ada'],
  ] as const)(
    'a command in a transaction from before something was %s does not make that undone',
    async (_, change, by) => {
      await alice.query(`select pgscore.bind('sum', 'points')`);
      const older = await database.client('ada');
      await older.query('begin isolation level repeatable read; select count(*) from pgscore.models');
      await (by === 'ada' ? ada : alice).query(change);
      expect((await refusal(older, `select pgscore.promote('sum@2')`)).code).toBe('40001');
      await older.query('rollback');
      await alice.query('drop table if exists more cascade');
      await expect(ada.query(`select pgscore.promote('sum@2')`)).resolves.toMatchObject({ rowCount: 1 });
    },
  );

  test('promotions of two models hold up each other as little where a table that was bound is gone', async () => {
    await alice.query(`create table gone (like points); select pgscore.bind('third', 'gone'); drop table gone cascade`);
    await ada.query(`begin; select pgscore.promote('sum@2')`);
    const deployer = await database.client('ada');
    await deployer.query(`set statement_timeout = '10s'`);
    await expect(deployer.query(`select pgscore.promote('total@2')`)).resolves.toMatchObject({ rowCount: 1 });
    await ada.query('rollback');
  });

  test.each([
    ['a bind', `select pgscore.bind('third', 'points')`, [{ sum: 12, total: 21 }]],
    ['the end of the table', 'drop table points cascade', undefined],
  ])('%s that is committed while a promotion comes to the table does not fail that', async (_, change, scored) => {
    await alice.query(`select pgscore.bind('sum', 'points'), pgscore.bind('total', 'points')`);
    await alice.query('begin');
    await alice.query(change);
    const promotion = ada.query(`select pgscore.promote('sum@2')`);
    await waitsFor(promotion);
    await alice.query('commit');
    await expect(promotion).resolves.toMatchObject({ rowCount: 1 });
    if (scored !== undefined) expect(await scores()).toEqual(scored);
  });
});
