import { describe, expect, test } from '@jest/globals';
import type { NodeProto } from 'onnx-buf';
import { classic, DataType, floats, integers, node } from '../support/onnx-builder.ts';
import { nestedTrees, treeNodes, weights } from '../support/tree-models.ts';
import { reasonFor } from './reason-for.ts';

const FLOAT = { to: DataType.FLOAT };
const forest = classic('TreeEnsembleRegressor', ['Z'], ['y'], {
  n_targets: 1,
  ...treeNodes({}),
  ...weights('target', [0]),
});
const total = classic('LinearRegressor', ['Z'], ['y'], { coefficients: [1, 2, 3] });
const product = node('MatMul', ['X', 'M'], ['s']);
const threeTargets = { targets: 3, coefficients: [1, 2, 3, 4, 5, 6, 7, 8, 9] };
const TENSORS = [
  floats('M', [3, 3], [0.1, 0.7, 1.3, 0.3, -0.9, 1.1, 0.5, 0.11, -0.77]),
  floats('limit', [3], [0.1, 0.3, 0.7]),
  floats('two', [], [2]),
  floats('three', [], [3]),
  integers('order', [3], [1, 2, 0]),
];

function reason(nodes: NodeProto[]): string {
  const used = new Set(nodes.flatMap(({ input }) => input));
  return reasonFor({ nodes, tensors: TENSORS.filter(({ name }) => used.has(name)) });
}

const SUM = 'a sum of columns';

describe('trees are not compiled behind', () => {
  test.each<[string, NodeProto[]]>([
    [SUM, [node('MatMul', ['X', 'M'], ['Z'])]],
    [SUM, [node('Gemm', ['X', 'M', 'limit'], ['Z'])]],
    [SUM, [classic('LinearRegressor', ['X'], ['Z'], threeTargets)]],
    [SUM, [classic('Normalizer', ['X'], ['Z'], { norm: 'L2' })]],
    [SUM, [classic('Normalizer', ['X'], ['Z'], { norm: 'L1' })]],
    [SUM, [node('ReduceMean', ['X'], ['m'], { axes: [1] }), node('Sub', ['X', 'm'], ['Z'])]],
    [SUM, [node('ReduceL2', ['X'], ['m'], { axes: [1] }), node('Div', ['X', 'm'], ['Z'])]],
    [SUM, [product, classic('Scaler', ['s'], ['Z'], { offset: [1], scale: [2] })]],
    [
      SUM,
      [
        product,
        node('ArgMax', ['s'], ['i'], { axis: 1 }),
        node('Cast', ['i'], ['f'], FLOAT),
        node('Add', ['X', 'f'], ['Z']),
      ],
    ],
    ['an exponential', [node('Exp', ['X'], ['Z'])]],
    ['an exponential', [node('Sigmoid', ['X'], ['Z'])]],
    ['an exponential', [node('Elu', ['X'], ['Z'])]],
    ['an exponential', [node('Softmax', ['X'], ['Z'])]],
    ['a logarithm', [node('Log', ['X'], ['Z'])]],
    ['a hyperbolic tangent', [node('Tanh', ['X'], ['Z'])]],
    ['a softsign', [node('Softsign', ['X'], ['Z'])]],
    ['a power', [node('Pow', ['X', 'three'], ['Z'])]],
  ])('%s: %j', (what, nodes) => {
    expect(reason([...nodes, forest])).toBe(
      `operator TreeEnsembleRegressor behind ${what} is not compiled: rounding could decide it`,
    );
  });
});

describe('no decision about a sum of columns is compiled:', () => {
  test.each<[string, NodeProto[]]>([
    ...['Floor', 'Ceil', 'Round'].map((op): [string, NodeProto[]] => [op, [node(op, ['s'], ['Z'])]]),
    ...['Less', 'GreaterOrEqual', 'Equal'].flatMap((op): [string, NodeProto[]][] => [
      [op, [node(op, ['s', 'limit'], ['is']), node('Cast', ['is'], ['Z'], FLOAT)]],
      [op, [node(op, ['X', 's'], ['is']), node('Where', ['is', 'X', 'limit'], ['Z'])]],
    ]),
    ...[DataType.INT32, DataType.INT64, DataType.BOOL].map((to): [string, NodeProto[]] => [
      'Cast',
      [node('Cast', ['s'], ['i'], { to }), node('Cast', ['i'], ['Z'], FLOAT)],
    ]),
    ['IsInf', [node('IsInf', ['s'], ['is']), node('Cast', ['is'], ['Z'], FLOAT)]],
    ['Binarizer', [classic('Binarizer', ['s'], ['Z'], { threshold: 0.5 })]],
    ['Imputer', [classic('Imputer', ['s'], ['Z'], { imputed_value_floats: [1], replaced_value_float: 0 })]],
    ['LabelEncoder', [classic('LabelEncoder', ['s'], ['Z'], { keys_floats: [1], values_floats: [2] })]],
    [
      'OneHotEncoder',
      [classic('OneHotEncoder', ['s'], ['hot'], { cats_int64s: [0], zeros: 1 }), node('Flatten', ['hot'], ['Z'])],
    ],
  ])('%s, %j', (op, nodes) => {
    expect(reason([product, ...nodes, total])).toBe(
      `operator ${op} behind a sum of columns is not compiled: rounding could decide it`,
    );
  });

  test('trees that begin with the same test, of which three are added up', () => {
    const after = [node('Less', ['s', 'limit'], ['is']), node('Cast', ['is'], ['Z'], FLOAT), total];
    const added = (trees: number) =>
      classic('TreeEnsembleRegressor', ['X'], ['s'], {
        n_targets: 1,
        ...nestedTrees(Array.from({ length: trees }, () => ({ column: 0, threshold: 1, passed: 0.1, failed: 0.3 }))),
      });
    expect(reason([added(2), ...after])).toBe('none');
    expect(reason([added(3), ...after])).toBe(
      'operator Less behind a sum of columns is not compiled: rounding could decide it',
    );
  });

  test('SOFTMAX_ZERO, which treats what is nearly zero in a way of its own', () => {
    const nodes = [
      classic('LinearRegressor', ['X'], ['p'], { ...threeTargets, post_transform: 'SOFTMAX_ZERO' }),
      node('ReduceMax', ['p'], ['y'], { axes: [1] }),
    ];
    expect(reason(nodes)).toBe(
      'operator SOFTMAX_ZERO behind a sum of columns is not compiled: rounding could decide it',
    );
  });

  test.each<[string, NodeProto[]]>([
    ['the place of the largest', [product, node('ArgMax', ['s'], ['c'], { axis: 1 })]],
    [
      'the label of a linear model',
      [
        classic('LinearClassifier', ['X'], ['c', 'p'], {
          classlabels_ints: [0, 1],
          coefficients: [1, 2, 3],
          intercepts: [0.1],
        }),
      ],
    ],
  ])('a number made of %s', (_, nodes) => {
    expect(reason([...nodes, node('Cast', ['c'], ['y'], FLOAT)])).toBe(
      'its numbers depend on a choice behind a sum of columns: rounding could decide it',
    );
  });
});

describe('trees are compiled behind what is rounded once a step:', () => {
  test.each<[string, NodeProto[]]>([
    ['scaled columns', [classic('Scaler', ['X'], ['Z'], { offset: [1, 2, 3], scale: [2, 0.1, 7] })]],
    ['imputed ones', [classic('Imputer', ['X'], ['Z'], { imputed_value_floats: [1], replaced_value_float: 0 })]],
    ['a standardisation', [node('Sub', ['X', 'limit'], ['s']), node('Div', ['s', 'limit'], ['Z'])]],
    [
      'sums of two columns and of three',
      [
        node('Gather', ['X', 'order'], ['A'], { axis: 1 }),
        node('Add', ['X', 'A'], ['s']),
        node('Sum', ['s', 'A', 'X'], ['Z']),
      ],
    ],
    [
      'products and quotients of columns',
      [
        node('Gather', ['X', 'order'], ['A'], { axis: 1 }),
        node('Mul', ['X', 'A'], ['s']),
        node('Div', ['X', 's'], ['Z']),
      ],
    ],
    [
      'a root, an amount, a limit',
      [node('Abs', ['X'], ['a']), node('Sqrt', ['a'], ['s']), node('Min', ['s', 'limit'], ['Z'])],
    ],
    ['squares', [node('Pow', ['X', 'two'], ['Z'])]],
    ['the largest share', [classic('Normalizer', ['X'], ['Z'], { norm: 'MAX' })]],
    ['whole numbers', [node('Round', ['X'], ['Z'])]],
    [
      'two trees',
      [
        classic('TreeEnsembleRegressor', ['X'], ['t'], { n_targets: 1, ...treeNodes({}), ...weights('target', [0]) }),
        node('Add', ['X', 't'], ['Z']),
      ],
    ],
  ])('%s', (_, nodes) => {
    expect(reason([...nodes, forest])).toBe('none');
  });

  test('and a choice among columns themselves', () => {
    expect(reason([node('ArgMax', ['X'], ['i'], { axis: 1 }), node('Cast', ['i'], ['y'], FLOAT)])).toBe('none');
  });
});
