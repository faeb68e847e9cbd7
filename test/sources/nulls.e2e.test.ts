import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes, submitDeploy } from '../support/deploy.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);
await alice.query(`create table readings (id int primary key, a real, b real);
  insert into readings values (1, 1, 2), (2, null, 2), (3, 'NaN', 2), (4, null, null)`);

/** Answers -5 where a is NaN. */
const heedful = onnxModel({
  inputs: [tensorValue('a', [null, 1]), tensorValue('b', [null, 1])],
  tensors: [floats('five', [1], [-5])],
  nodes: [
    node('IsNaN', ['a'], ['missing']),
    node('Where', ['missing', 'five', 'a'], ['filled']),
    node('Add', ['filled', 'b'], ['y']),
  ],
});
const plain = weightedModel({ a: 'float32', b: 'float32' });

/** Score or error code of each reading, by a model deployed with these options. */
async function outcomes(
  model: string,
  bytes: Uint8Array,
  options: Record<string, unknown>,
): Promise<(number | string | null)[]> {
  await deployBytes(ada, model, bytes, options);
  const target = `${model}_scores`;
  expect(await scoreTable(alice, model, 'readings', { target })).toMatchObject({ state: 'done', rows_done: '4' });
  const read = `select coalesce(error_code, score::text) as outcome from ${target} order by id`;
  const { rows } = await alice.query<{ outcome: string }>(read);
  return rows.map(({ outcome }) => (Number.isNaN(Number(outcome)) ? outcome : Number(outcome)));
}

describe('a NULL, or NaN in a float column, becomes', () => {
  test('a failed row where the graph is not known to handle it', async () => {
    expect(await outcomes('auto', plain, {})).toEqual([21, 'null_feature', 'null_feature', 'null_feature']);
  });

  test('NaN where the deployer says so', async () => {
    const scores = await outcomes('nan', heedful, { nulls: 'nan' });
    expect(scores).toEqual([3, -3, -3, 'non_finite_output']);
  });

  test('a failed row where the deployer says so, even if the graph would handle it', async () => {
    expect(await outcomes('error', heedful, { nulls: 'error' })).toEqual([
      3,
      'null_feature',
      'null_feature',
      'null_feature',
    ]);
  });

  test('the default that was declared for the feature', async () => {
    expect(await outcomes('defaults', plain, { null_values: { a: 7 } })).toEqual([21, 27, 27, 'null_feature']);
    expect(await outcomes('both', plain, { null_values: { a: 7, b: -1 } })).toEqual([21, 27, 27, -3]);
    expect(await outcomes('mixed', heedful, { nulls: 'nan', null_values: { b: 1 } })).toEqual([3, -3, -3, -4]);
  });

  test('a default of each type', async () => {
    const bytes = weightedModel({ b: 'bool', i: 'int64', s: 'string', f: 'float64' });
    await deployBytes(ada, 'typed', bytes, { null_values: { b: true, i: 3, s: 'blue', f: -0.5 } });
    await alice.query(`create table typed (id int primary key, b boolean, i bigint, s text, f float8);
      insert into typed (id) values (1); insert into typed values (2, false, 1, 'red', 0)`);
    await scoreTable(alice, 'typed', 'typed');
    const { rows } = await alice.query('select score from typed_scores order by id');
    expect(rows).toEqual([{ score: 1 + 30 + 300 - 500 }, { score: 10 + 100 }]);
  });
});

describe('a deploy is refused', () => {
  test.each([
    ['a rule that is not known', { nulls: 'drop' }, /nulls => 'drop' is not known/],
    ['a task that is not known', { task: 'ranking' }, /task => 'ranking' is not known/],
    ['defaults that are a list', { null_values: [1, 2] }, /null_values => .* is no object/],
    ['an expectation that is no list of rows', { expect: 'x' }, /expect is no array of rows/],
    ['a threshold of one', { threshold: 1 }, /threshold => 1 is not between 0 and 1/],
    ['a threshold that is no number', { threshold: 'NaN' }, /threshold => NaN is not between/],
  ])('at once with %s', async (_, options, message) => {
    const refused = await submitDeploy(ada, 'wrong', plain, options).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: '22023', message: expect.stringMatching(message) });
  });

  test.each([
    ['a default for a feature that is not there', { null_values: { c: 1 } }, 'model_null_values_wrong'],
    ['too few feature names', { features: ['a'] }, 'model_feature_names_wrong'],
    ['an expectation without a prediction', { expect: [{ a: 1, b: 2 }] }, 'model_expectation_wrong'],
  ])('by the check with %s', async (_, options, code) => {
    const version = await submitDeploy(ada, 'wrong', plain, options);
    const refused = await refusal(ada, `call pgscore.wait_for_version('${version}')`);
    expect(refused.detail).toBe(`Code: ${code}`);
    expect(refused.hint).toBeTruthy();
  });
});
