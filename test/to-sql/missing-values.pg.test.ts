import { describe, expect, test } from '@jest/globals';
import { ident } from '../../src/lib/text.ts';
import { cloneDatabase } from '../support/database.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import { classic, DataType, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { compiled, firstDifference } from './compiled.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);

const HOSTILE = `age'"\\ $body$ ; %`;
const features = [HOSTILE, 'b', 'c'];
const linear = onnxModel({
  nodes: [classic('LinearRegressor', ['X'], ['y'], { coefficients: [1, 10, 100], intercepts: [0.5] })],
});
const stump = (mode: string) =>
  onnxModel({
    nodes: [
      classic('TreeEnsembleRegressor', ['X'], ['y'], {
        n_targets: 1,
        nodes_treeids: [0, 0, 0],
        nodes_nodeids: [0, 1, 2],
        nodes_modes: [mode, 'LEAF', 'LEAF'],
        nodes_featureids: [0, 0, 0],
        nodes_values: [1.5, 0, 0],
        nodes_truenodeids: [1, 0, 0],
        nodes_falsenodeids: [2, 0, 0],
        target_treeids: [0, 0],
        target_nodeids: [1, 2],
        target_ids: [0, 0],
        target_weights: [3, 4],
      }),
    ],
  });
const models: [string, Uint8Array][] = [
  ['linear', linear],
  ['tree', stump('BRANCH_GT')],
];

async function scoreOf(scorer: string, values: string[]): Promise<number | null> {
  const select = `select ${ident(scorer)}(${values.join(', ')}) as score from generate_series(1, 1)`;
  return (await client.query<{ score: number | null }>(select)).rows[0]?.score ?? null;
}

describe('a missing value that the model can not take', () => {
  test.each(models)('raises with the name of its feature, in a %s model', async (_, bytes) => {
    const { scorer } = await compiled(client, bytes, { features });
    for (const missing of ['null::double precision', `'NaN'::double precision`, `nullif(2, 2)::double precision`]) {
      const { code, message } = await refusal(client, `select ${scorer}(${missing}, 1, 1)`);
      expect(code).toBe('22004');
      expect(message).toContain(ident(HOSTILE));
    }
  });

  test.each(models)('raises for no row that has a value, constants included, in a %s model', async (_, bytes) => {
    const { scorer } = await compiled(client, bytes, { features });
    expect(await scoreOf(scorer, ['2', '1', '1'])).not.toBeNull();
  });
});

describe('a number past the range of float32', () => {
  test.each(models)('makes the row a bad one in a %s model', async (_, bytes) => {
    const { scorer } = await compiled(client, bytes, { features });
    const rows = 'from generate_series(1, 2) n';
    for (const value of ['1e300', '-1e39']) {
      const { code, message, hint } = await refusal(client, `select ${scorer}(n::numeric * ${value}, 1, 1) ${rows}`);
      expect({ code, message }).toMatchObject({ code: '22003', message: expect.stringContaining(ident(HOSTILE)) });
      expect(hint).toContain(`greatest(${ident(HOSTILE)}`);
    }
    expect(await scoreOf(scorer, ["'Infinity'", '1', '1'])).toBe(await scoreOf(scorer, ["'Infinity'", '2', '2']));
  });

  test.each(models)('is zero where it is as small, in a %s model', async (_, bytes) => {
    const { scorer } = await compiled(client, bytes, { features });
    expect(await scoreOf(scorer, ['1e-60', '-1e-200', '0'])).toBe(await scoreOf(scorer, ['0', '0', '0']));
  });
});

describe('a number past the range of float32, where the version takes what is missing,', () => {
  const small = { coefficients: [1e-3, -2, 0.5], intercepts: [0.5] };
  const regression = onnxModel({ nodes: [classic('LinearRegressor', ['X'], ['y'], small)] });
  const imputed = onnxModel({
    nodes: [
      classic('Imputer', ['X'], ['i'], { imputed_value_floats: [1, 2, 3], replaced_value_float: Number.NaN }),
      classic('Scaler', ['i'], ['s'], { offset: [0.5, 0, -3], scale: [1e-3, -0.1, 2] }),
      classic('LinearRegressor', ['s'], ['y'], small),
    ],
  });
  const array = (values: string[]) => [`array[${values.join(', ')}]::double precision[]`];

  test.each<[string, Uint8Array, object, (values: string[]) => string[]]>([
    ['a default', regression, { features, nullValues: { [HOSTILE]: 7, b: 1, c: 1 } }, (values) => values],
    ['NaN', regression, { features, nulls: 'nan' }, (values) => values],
    ['NaN, imputed and scaled', imputed, { features, nulls: 'nan' }, (values) => values],
    ['an array of three', regression, { features: [HOSTILE] }, array],
  ])('for %s, makes the row a bad one', async (_, bytes, options, given) => {
    const { scorer } = await compiled(client, bytes, options);
    for (const value of ['3.5e38', '1e39', '-1e39', '1e300']) {
      const { code, message } = await refusal(client, `select ${scorer}(${given([value, '1', '1']).join(', ')})`);
      expect({ code, message }).toMatchObject({ code: '22003', message: expect.stringContaining(ident(HOSTILE)) });
    }
    expect(await scoreOf(scorer, given(['3.3e38', '1', '1']))).toBeGreaterThan(1e32);
  });
});

describe('NULL where the version says what it becomes', () => {
  test.each(models)('is the default, and so is NaN, in a %s model', async (_, bytes) => {
    const version = await compiled(client, bytes, { features, nullValues: { [HOSTILE]: 7 } });
    const { scorer } = version;
    const seven = await scoreOf(scorer, ['7', '1', '1']);
    expect(await scoreOf(scorer, ['null', '1', '1'])).toBe(seven);
    expect(await scoreOf(scorer, [`'NaN'`, '1', '1'])).toBe(seven);
    expect(await firstDifference(version)).toBeUndefined();
  });

  test('is NaN, which a linear model makes nothing of', async () => {
    const { scorer } = await compiled(client, linear, { features, nulls: 'nan' });
    expect(await scoreOf(scorer, ['1', 'null', '1'])).toBeNull();
    expect(await scoreOf(scorer, ['1', '1', '1'])).toBe(111.5);
  });
});

describe('an array feature', () => {
  const options = { features: ['v'] };

  test.each(['array[1, 2, 3]', `'[0:2]={1,2,3}'`])('counts with each of its elements: %s', async (array) => {
    const model = await compiled(client, linear, options);
    expect(await scoreOf(model.scorer, [`${array}::double precision[]`])).toBe(321.5);
    expect(await firstDifference(model)).toBeUndefined();
  });

  test.each(['null', 'array[1, 2]', 'array[1, 2, 3, 4]', 'array[1, null, 3]', 'array[[1, 2, 3]]'])(
    'that is %s makes the row a bad one',
    async (array) => {
      const model = await compiled(client, linear, options);
      expect((await refusal(client, `select ${model.scorer}(${array}::double precision[])`)).message).toBe(
        'feature v is NULL, of another length, or with NULL or NaN in it',
      );
    },
  );
});

test('an integer past int32 makes the row a bad one', async () => {
  const bytes = onnxModel({
    nodes: [node('Cast', ['X'], ['y'], { to: DataType.FLOAT })],
    inputs: [tensorValue('X', [null, 1], DataType.INT32)],
  });
  const { scorer } = await compiled(client, bytes, { features: ['i'] });
  expect(await scoreOf(scorer, ['2147483647'])).toBe(2147483648);
  expect(await scoreOf(scorer, ['-2147483648'])).toBe(-2147483648);
  for (const value of ['2147483648', '-2147483649'])
    expect(await refusal(client, `select ${scorer}(${value})`)).toMatchObject({
      code: '22003',
      message: `feature i is ${value}, a number that int32 can not hold`,
    });
});

test('a function answers the same whatever functions stand in front of those of PostgreSQL', async () => {
  const nodes = [node('Abs', ['X'], ['a']), node('ReduceMax', ['a'], ['y'], { axes: [1] })];
  const { scorer } = await compiled(client, onnxModel({ nodes }), { features });
  const before = await scoreOf(scorer, ['1', '-3', '1']);
  expect(before).toBe(3);
  await client.query(`create schema evil; create function evil.abs(double precision) returns double precision
    language sql as 'select ''NaN''::double precision'; set search_path = evil, public, pg_catalog`);
  expect(await scoreOf(scorer, ['1', '-3', '1'])).toBe(before);
  await client.query('reset search_path');
});
