import { beforeAll, expect, test } from '@jest/globals';
import type { NodeProto, TensorProto } from 'onnx-buf';

import { deployBytes } from '../support/deploy.ts';
import { classic, DataType, floats, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';

const { superuser, ada, alice } = await scoreFixture();

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query('create table rows as select 1::real as a, 3::real as b, 2::real as c');
});

const ROW = `'{"a": 1, "b": 3, "c": 2}'`;

function tensorsOf(nodes: NodeProto[]): TensorProto[] {
  const tensors = [integers('axis', [1], [1]), floats('big', [], [1e7])];
  return tensors.filter(({ name }) => nodes.some(({ input }) => input.includes(name)));
}

// Next to ten millions of it, float32 rounds a number to a multiple of some power of two, and a double keeps it.
test.each<[string, NodeProto[], number, RegExp]>([
  [
    'tests a sum of columns',
    [node('ReduceSum', ['X', 'axis'], ['s'], { keepdims: 1 }), node('Floor', ['s'], ['y'])],
    6,
    /^operator Floor behind a sum of columns is not compiled: rounding could decide it$/,
  ],
  [
    'differs from ONNX Runtime',
    [
      node('Mul', ['X', 'big'], ['p']),
      node('Add', ['p', 'X'], ['q']),
      node('Sub', ['q', 'p'], ['r']),
      node('ReduceSum', ['r', 'axis'], ['y'], { keepdims: 1 }),
    ],
    7,
    /^the compiled function differs: row \d+: the score is [-.\d]+, ONNX Runtime says [-.\d]+$/,
  ],
  [
    'is not compiled',
    [node('Erf', ['X'], ['e']), node('ReduceMax', ['e'], ['y'], { axes: [1] })],
    0.99998,
    /^operator Erf is not compiled$/,
  ],
])(
  'a version that %s is scored online, also by its typed functions, and says why',
  async (why, nodes, score, reason) => {
    const model = why.toLowerCase().replaceAll(' ', '_');
    await deployBytes(ada, model, onnxModel({ nodes, tensors: tensorsOf(nodes) }), {
      features: ['a', 'b', 'c'],
      nulls: 'nan',
    });
    const { rows } = await alice.query('select execution, not_native from pgscore.models where model = $1', [model]);
    expect(rows).toEqual([{ execution: 'batch, online', not_native: expect.stringMatching(reason) }]);
    const call = `select score('${model}', ${ROW}) as score`;
    expect((await alice.query(call)).rows).toEqual([{ score: expect.closeTo(score, 4) }]);
    await alice.query(`select pgscore.bind($1, 'rows')`, [model]);
    const typed = `select pgscore_models.${model}(r) as score, pgscore_models.${model}_v1(r) as own from rows r`;
    expect((await alice.query(typed)).rows).toEqual([
      { score: expect.closeTo(score, 4), own: expect.closeTo(score, 4) },
    ]);
    await alice.query('set pgscore.execution = native');
    expect(await refusal(alice, call)).toMatchObject({
      code: '55000',
      message: expect.stringContaining(`version "${model}@1" is not native: `),
    });
    await alice.query('reset pgscore.execution');
  },
);

/** Of its first version. */
async function reasonOf(model: string, bytes: Uint8Array, features: string[]) {
  await deployBytes(ada, model, bytes, { features });
  return (await alice.query('select execution, not_native from pgscore.models where model = $1', [model])).rows;
}

test('a version of more features than a function takes arguments stays online, and says so', async () => {
  const features = Array.from({ length: 101 }, (_, column) => `c${column}`);
  const nodes = [classic('LinearRegressor', ['X'], ['y'], { coefficients: features.map(() => 0.5) })];
  const model = onnxModel({ nodes, inputs: [tensorValue('X', [null, features.length])] });
  expect(await reasonOf('wide', model, features)).toEqual([
    { execution: 'batch, online', not_native: '101 features are more than the 100 arguments that a function may have' },
  ]);
  const row = JSON.stringify(Object.fromEntries(features.map((name) => [name, 2])));
  expect((await alice.query(`select score('wide', $1::jsonb) as score`, [row])).rows).toEqual([{ score: 101 }]);
});

test('a version whose compiled function fails on a row of the proof stays online, and says with which error', async () => {
  // Past a double, PostgreSQL raises where ONNX Runtime comes to infinity.
  const squares = Array.from({ length: 6 }, (_, step) => node('Mul', [`h${step}`, `h${step}`], [`h${step + 1}`]));
  const nodes = [node('Identity', ['X'], ['h0']), ...squares, node('ReduceMax', ['h6'], ['y'], { axes: [1] })];
  const [inputs, outputs] = [
    [tensorValue('X', [null, 3], DataType.DOUBLE)],
    [tensorValue('y', [null, 1], DataType.DOUBLE)],
  ];
  expect(await reasonOf('steep', onnxModel({ nodes, inputs, outputs }), ['a', 'b', 'c'])).toEqual([
    { execution: 'batch, online', not_native: 'the compiled function failed: value out of range: overflow' },
  ]);
});
