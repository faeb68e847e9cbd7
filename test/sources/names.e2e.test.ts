import { describe, expect, test } from '@jest/globals';
import { ident, qualified } from '../../src/lib/text.ts';
import { classModel } from '../support/class-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes, submitDeploy } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
// drop_target() waits until what it drops is counted, which the service does when it polls.
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
await superuser.query('create table canary (id int); insert into canary values (1)');
const mayCreate = `grant create on database ${ident(database.name)} to alice`;
await superuser.query(mayCreate);

/** Names that quoting, folding, encoding or a lookup by name could get wrong. */
const NAMES = [
  '1',
  'MixedCase',
  'with space',
  'select',
  'user',
  'x"; drop table public.canary; --',
  `'); drop table public.canary; --`,
  "it's $1 %s %I \\",
  '$$; drop table public.canary; $$',
  '__proto__',
  'constructor',
  'toString',
  'c1',
  't',
  'block',
  'Grün ☃ 😀',
  '{"a": 1}',
  'a.b.c',
  'x'.repeat(63),
  'ü'.repeat(31),
];

/** A name with something at its end, and no more bytes than fit. */
function extended(name: string, end: string, bytes: number): string {
  let kept = name;
  while (Buffer.byteLength(kept + end) > bytes) kept = kept.slice(0, -1);
  return kept + end;
}

describe('a name is a name: of a schema, table, key, column and target at once', () => {
  test.each(NAMES)('%s', async (name) => {
    const [from, to, feature] = [extended(name, 'in', 63), extended(name, 'out', 63), extended(name, 'é', 63)];
    const target = extended(name, '', 55);
    const table = qualified(from, name);
    const setUp = `create schema ${ident(from)}; create schema ${ident(to)};
      create table ${table} (${ident(name)} int primary key, ${ident(feature)} real);
      insert into ${table} values (1, 10), (2, 20)`;
    await alice.query(setUp);
    const column_map = JSON.stringify({ a: feature });
    const run = await scoreTable(alice, 'same', table, { target, target_schema: to, column_map });
    expect(run).toMatchObject({ state: 'done', rows_done: '2', rows_failed: '0', error: null });
    for (const view of [target, `${target}_history`]) {
      const read = `select ${ident(name)} as key, score from ${qualified(to, view)} order by 1`;
      expect((await alice.query(read)).rows).toEqual([1, 2].map((n) => ({ key: n, score: n * 10 })));
    }
    await alice.query('select pgscore.drop_target($1, $2)', [ident(target), to]);
  });

  test('but a target that leaves no room for its history is refused', async () => {
    const refused = await refusal(alice, 'select pgscore.score_table($1, $2, target => $3, column_map => $4)', [
      'same',
      '"MixedCasein"."MixedCase"',
      'x'.repeat(56),
      '{"a": "MixedCaseé"}',
    ]);
    expect(refused).toMatchObject({ code: '42622', message: expect.stringContaining('longer than 55 bytes') });
  });
});

test('a table is not taken for another whose schema and name read the same one after the other', async () => {
  await alice.query(`create schema p; create schema "p/q";
    create table p."q/r" (id int primary key, a real); insert into p."q/r" values (1, 10);
    create table "p/q".r (id int primary key, a real); insert into "p/q".r values (1, 20)`);
  await scoreTable(alice, 'same', 'p."q/r"', { target: 'first' });
  await scoreTable(alice, 'same', '"p/q".r', { target: 'second' });
  const read = 'select (select score from first) as first, (select score from second) as second';
  expect((await alice.query(read)).rows).toEqual([{ first: 10, second: 20 }]);
});

test('features of all these names are found by name', async () => {
  await deployBytes(ada, 'features', weightedModel(Object.fromEntries(NAMES.map((name) => [name, 'float64']))));
  const columns = NAMES.toReversed().map((name) => `${ident(name)} float8 default 0`);
  const create = `create table features (id int primary key, ${columns.join(', ')})`;
  await alice.query(create);
  for (const [index, name] of NAMES.entries()) {
    const insert = `insert into features (id, ${ident(name)}) values ($1, 1)`;
    await alice.query(insert, [index]);
  }
  await scoreTable(alice, 'features', 'features');
  const { rows } = await alice.query<{ score: number }>('select score from features_scores order by id');
  const factors = rows.map(({ score }, index) => score / 10 ** index);
  expect(factors.map((factor) => factor.toFixed(5))).toEqual(NAMES.map(() => '1.00000'));
});

describe('class labels', () => {
  test('of any text become columns, and come back as they are', async () => {
    const labels = NAMES.filter((name) => Buffer.byteLength(name) <= 51).slice(0, 20);
    await deployBytes(ada, 'labels', classModel(labels.length), { task: 'multiclass', class_labels: labels });
    await alice.query(
      'create table labelled (id int primary key, x real); insert into labelled select i, i from generate_series(0, 19) i',
    );
    await scoreTable(alice, 'labels', 'labelled');
    const { rows } = await alice.query<Record<string, unknown>>('select * from labelled_scores order by id');
    expect(rows.slice(0, labels.length).map(({ label }) => label)).toEqual(labels);
    for (const [index, label] of labels.entries()) {
      expect(Number(rows[index]?.[`probability_${label}`])).toBeGreaterThan(0.5);
    }
  });

  test('that are too long for a column, or more than twenty, become one jsonb', async () => {
    const long = ['a'.repeat(100), 'b'.repeat(100), 'c'];
    const many = Array.from({ length: 25 }, (_, index) => `class ${index}`);
    await deployBytes(ada, 'long', classModel(3), { task: 'multiclass', class_labels: long });
    await deployBytes(ada, 'many', classModel(25), { task: 'multiclass', class_labels: many });
    for (const [model, labels] of [['long', long] as const, ['many', many] as const]) {
      const target = `${model}_p`;
      await scoreTable(alice, model, 'labelled', { target });
      const text = `select label, score, probabilities from ${target} order by id`;
      const { rows } = await alice.query<{ label: string; score: number; probabilities: Record<string, number> }>(text);
      const [, second] = rows;
      expect(second?.label).toBe(labels[1]);
      expect(new Set(Object.keys(second?.probabilities ?? {}))).toEqual(new Set(labels));
      expect(second?.probabilities[labels[1] ?? '']).toBeCloseTo(second?.score ?? 0, 12);
      expect(Object.values(second?.probabilities ?? {}).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    }
  });
});

describe('models', () => {
  test.each([`x"; drop table canary; --`, 'a b', '', 'a@b', '1a', 'x'.repeat(51), 'a\nb', '../a'])(
    'cannot be named %j',
    async (name) => {
      const refused = await refusal(ada, 'select pgscore.deploy($1, $2)', [name, Buffer.from('x')]);
      expect(refused).toMatchObject({ code: '42602', hint: expect.stringContaining('Begin with a letter') });
    },
  );

  test('can have any letters, also those that JavaScript has a use for', async () => {
    for (const name of ['Churn', '_x', 'a.b-c_d', 'grün', '__proto__', 'constructor', 'x'.repeat(50)]) {
      await submitDeploy(ada, name, weightedModel({ x: 'float32' }));
    }
    await ada.query(`call pgscore.wait_for_version(repeat('x', 50) || '@1')`);
    for (const name of ['grün', '__proto__', 'constructor']) {
      const run = await scoreTable(alice, `${name}@1`, 'labelled', { target: 'named', error_limit: 0 });
      expect(run).toMatchObject({ state: 'done', model: `${name}@1`, rows_failed: '0' });
    }
  });
});

test('nothing of all that was run as a statement', async () => {
  expect((await superuser.query('select id from canary')).rows).toEqual([{ id: 1 }]);
});
