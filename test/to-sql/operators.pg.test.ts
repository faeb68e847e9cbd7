import { describe, expect, test } from '@jest/globals';
import type { NodeProto } from 'onnx-buf';
import { cloneDatabase } from '../support/database.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import { floats, integers, node, strings } from '../support/onnx-builder.ts';
import { difference as differenceOf, FLOAT } from './graphs.ts';
import type { Graph } from './graphs.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);
const difference = (graph: Graph) => differenceOf(client, graph);

const one = (op: string, attributes = {}): [string, Graph] => [op, { nodes: [node(op, ['X'], ['y'], attributes)] }];
const W = floats('W', [3], [2.5, -0.1, 1e-3]);
const withConstant = (op: string): [string, Graph] => [
  `${op} with constants`,
  { nodes: [node(op, ['X', 'W'], ['y'])], tensors: [W] },
];
const withReversed = (op: string): [string, Graph] => [
  `${op} of columns`,
  {
    nodes: [node('Gather', ['X', 'order'], ['Z'], { axis: 1 }), node(op, ['X', 'Z'], ['y'])],
    tensors: [integers('order', [3], [2, 0, 1])],
  },
];
const power = (exponent: number): [string, Graph] => [
  `Pow of ${exponent}`,
  { nodes: [node('Pow', ['X', 'exponent'], ['y'])], tensors: [floats('exponent', [], [exponent])] },
];
const reduction = (op: string): [string, Graph] => [
  op,
  { nodes: [node(op, ['X'], ['y'], { axes: [1], keepdims: 1 })], width: 1, opset: 11 },
];

describe('arithmetic', () => {
  test.each([
    ...['Neg', 'Abs', 'Sqrt', 'Exp', 'Log', 'Reciprocal', 'Floor', 'Ceil', 'Round'].map((op) => one(op)),
    ...['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Sum', 'Mean'].flatMap((op) => [withConstant(op), withReversed(op)]),
    ...[0, 1, 2, 3, 0.5, -1, -2, -0.3, 1.7].map(power),
  ])('%s', async (_, graph) => {
    expect(await difference(graph)).toBeUndefined();
  });

  test('a product of many columns that leaves the range of float32', async () => {
    const nodes = ['X', 'p1', 'p2', 'p3', 'p4'].map((name, index) =>
      node('Mul', [name, name], [index === 4 ? 'y' : `p${index + 1}`]),
    );
    expect(await difference({ nodes })).toBeUndefined();
  });
});

describe('activations', () => {
  test.each([
    ...['Sigmoid', 'Tanh', 'Relu', 'LeakyRelu', 'Elu', 'Softplus', 'Softsign', 'Softmax', 'LogSoftmax'].map((op) =>
      one(op),
    ),
    one('Clip'),
    ...['Selu', 'HardSigmoid', 'HardSwish'].map((op) => one(op)),
    ['PRelu', { nodes: [node('PRelu', ['X', 'W'], ['y'])], tensors: [W] }] as [string, Graph],
    ['Softmax before version 13', { nodes: [node('Softmax', ['X'], ['y'])], opset: 11 }] as [string, Graph],
  ])('%s', async (_, graph) => {
    expect(await difference(graph)).toBeUndefined();
  });
});

describe('layers that scale', () => {
  const TENSORS = [
    W,
    floats('shift', [3], [0.5, -1, 2]),
    floats('mean', [3], [1, 0, -3]),
    floats('variance', [3], [4, 0.25, 1]),
  ];
  test('BatchNormalization', async () => {
    const nodes = [node('BatchNormalization', ['X', 'W', 'shift', 'mean', 'variance'], ['y'], { epsilon: 0.01 })];
    expect(await difference({ nodes, tensors: TENSORS })).toBeUndefined();
  });

  test('LayerNormalization', async () => {
    const nodes = [
      node('Clip', ['X', 'least', 'most'], ['Z']),
      node('LayerNormalization', ['Z', 'W', 'shift'], ['y'], { axis: -1 }),
    ];
    const bounds = [floats('least', [], [-1e4]), floats('most', [], [1e4])];
    expect(await difference({ nodes, tensors: [...TENSORS.slice(0, 2), ...bounds] })).toBeUndefined();
  });
});

describe('comparisons and choices', () => {
  const cast = (condition: NodeProto) => [condition, node('Cast', ['is'], ['y'], FLOAT)];
  const relations = ['Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Equal'];

  test.each(relations)('%s', async (op) => {
    expect(await difference({ nodes: cast(node(op, ['X', 'W'], ['is'])), tensors: [W] })).toBeUndefined();
    expect(await difference({ nodes: cast(node(op, ['W', 'X'], ['is'])), tensors: [W] })).toBeUndefined();
    const shuffled = node('Gather', ['X', 'order'], ['Z'], { axis: 1 });
    const order = integers('order', [3], [1, 1, 0]);
    expect(
      await difference({ nodes: [shuffled, ...cast(node(op, ['X', 'Z'], ['is']))], tensors: [order] }),
    ).toBeUndefined();
  });

  test.each(['And', 'Or', 'Xor'])('%s', async (op) => {
    const nodes = [
      node('Less', ['X', 'W'], ['is low']),
      node('IsNaN', ['X'], ['is missing']),
      node('Not', ['is missing'], ['is there']),
    ];
    expect(
      await difference({ nodes: [...nodes, ...cast(node(op, ['is low', 'is there'], ['is']))], tensors: [W] }),
    ).toBeUndefined();
  });

  test.each([{}, { detect_negative: 0 }, { detect_positive: 0 }, { detect_negative: 0, detect_positive: 0 }])(
    'IsInf %j',
    async (own) => {
      expect(await difference({ nodes: cast(node('IsInf', ['X'], ['is'], own)) })).toBeUndefined();
    },
  );

  test('Where', async () => {
    const nodes = [node('Greater', ['X', 'W'], ['is']), node('Where', ['is', 'X', 'W'], ['y'])];
    expect(await difference({ nodes, tensors: [W] })).toBeUndefined();
  });

  test('equal texts', async () => {
    const nodes = cast(node('Equal', ['t', 'red'], ['is']));
    expect(await difference({ nodes, tensors: [strings('red', ['red'])], width: 1, opset: 19 })).toBeUndefined();
  });
});

describe('reductions', () => {
  test.each([
    ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'].map(reduction),
    ...['ReduceLogSumExp', 'ReduceProd'].map(reduction),
    [
      'ArgMax',
      {
        nodes: [node('Clip', ['X', 'lowest', 'highest'], ['Z']), node('ArgMax', ['Z'], ['y'], { axis: 1 })],
        width: 1,
      },
    ] as [string, Graph],
    [
      'ArgMin',
      {
        nodes: [node('ArgMin', ['X'], ['y'], { axis: -1 })],
        width: 1,
      },
    ] as [string, Graph],
  ])('%s', async (_, graph) => {
    expect(await difference(graph)).toBeUndefined();
  });
});
