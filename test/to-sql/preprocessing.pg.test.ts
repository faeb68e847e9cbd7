import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import { classic, DataType, floats, integers, node } from '../support/onnx-builder.ts';
import { difference as differenceOf, FLOAT } from './graphs.ts';
import type { Graph } from './graphs.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);
const difference = (graph: Graph) => differenceOf(client, graph);

const textTo = (op: string, attributes: object): Graph => ({
  nodes: [classic(op, ['t'], ['y'], attributes as never)],
  width: 1,
});
const hostile = ['red', '', `it's "a" \\ b; --`, "'); drop table x; --", '$$', 'Grün ☃', '\\', 'A', 'a'];
const many = Array.from({ length: 40 }, (_, index) => `category ${index}`);

describe('preprocessing', () => {
  test.each(['MAX', 'L1', 'L2'])('Normalizer %s', async (norm) => {
    expect(await difference({ nodes: [classic('Normalizer', ['X'], ['y'], { norm })] })).toBeUndefined();
  });

  test.each([
    ['Scaler', { offset: [0.5, 0, -3], scale: [2, 0.1, 1e-3] }],
    ['Imputer', { imputed_value_floats: [1, 2, 3], replaced_value_float: Number.NaN }],
    ['Imputer', { imputed_value_floats: [7], replaced_value_float: 0 }],
    ['Imputer', { imputed_value_floats: [7], replaced_value_float: Infinity }],
    ['Binarizer', {}],
  ])('%s %j', async (op, attributes) => {
    expect(await difference({ nodes: [classic(op, ['X'], ['y'], attributes as never)] })).toBeUndefined();
  });

  test('OneHotEncoder of texts, hostile ones among them', async () => {
    const nodes = [
      classic('OneHotEncoder', ['t'], ['hot'], { cats_strings: hostile, zeros: 1 }),
      node('Reshape', ['hot', 'shape'], ['y']),
    ];
    const tensors = [integers('shape', [2], [-1, hostile.length])];
    expect(await difference({ nodes, tensors, width: hostile.length })).toBeUndefined();
  });

  test('OneHotEncoder that refuses the unknown', async () => {
    const nodes = [
      classic('OneHotEncoder', ['n'], ['hot'], { cats_int64s: [1, 2, 3], zeros: 0 }),
      node('Flatten', ['hot'], ['y']),
    ];
    expect(await difference({ nodes })).toBeUndefined();
  });
});

describe('texts and numbers looked up', () => {
  test.each([
    ['a few texts', hostile],
    ['many texts', many],
  ])('LabelEncoder of %s', async (_, keys) => {
    const values = keys.map((__, index) => index * 1.5 + 0.1);
    const graph = textTo('LabelEncoder', { keys_strings: keys, values_floats: values, default_float: -1 });
    expect(await difference(graph)).toBeUndefined();
  });

  test('LabelEncoder of integers to texts and back', async () => {
    const nodes = [
      classic('LabelEncoder', ['n'], ['names'], {
        keys_int64s: [1, 2, 30],
        values_strings: ['one', "t'wo", ''],
        default_string: 'many',
      }),
      classic('LabelEncoder', ['names'], ['y'], {
        keys_strings: ['', "t'wo", 'many'],
        values_floats: [5, 6, 7],
        default_float: -4,
      }),
    ];
    expect(await difference({ nodes, width: 1 })).toBeUndefined();
  });

  test('LabelEncoder of floats', async () => {
    const attributes = { keys_floats: [0.1, 2.5, -1], values_floats: [1, 2, 3], default_float: 9 };
    expect(await difference({ nodes: [classic('LabelEncoder', ['X'], ['y'], attributes)] })).toBeUndefined();
  });

  test('CategoryMapper', async () => {
    const attributes = { cats_strings: hostile, cats_int64s: hostile.map((_, index) => index * 2), default_int64: -1 };
    expect(await difference(textTo('CategoryMapper', attributes))).toBeUndefined();
  });

  test('a weighted sum of one-hot columns', async () => {
    const nodes = [
      classic('OneHotEncoder', ['t'], ['hot'], { cats_strings: many, zeros: 1 }),
      node('Reshape', ['hot', 'shape'], ['flat']),
      classic('LinearRegressor', ['flat'], ['y'], {
        coefficients: many.map((_, index) => index - 7.3),
        intercepts: [0.5],
      }),
    ];
    expect(await difference({ nodes, tensors: [integers('shape', [2], [-1, many.length])], width: 1 })).toBeUndefined();
  });
});

const MOVES: [string, Graph][] = [
  [
    'Concat of kinds',
    {
      nodes: [
        node('Cast', ['n'], ['nf'], FLOAT),
        node('Cast', ['f'], ['ff'], FLOAT),
        node('Concat', ['nf', 'X', 'ff'], ['y'], { axis: 1 }),
      ],
      width: 5,
    },
  ],
  [
    'FeatureVectorizer',
    { nodes: [classic('FeatureVectorizer', ['n', 'n'], ['y'], { inputdimensions: [1, 1] })], width: 2 },
  ],
  [
    'ArrayFeatureExtractor',
    { nodes: [classic('ArrayFeatureExtractor', ['X', 'i'], ['y'])], tensors: [integers('i', [2], [2, 0])], width: 2 },
  ],
  [
    'ArrayFeatureExtractor of one index',
    { nodes: [classic('ArrayFeatureExtractor', ['X', 'i'], ['y'])], tensors: [integers('i', [], [1])], width: 1 },
  ],
  [
    'Slice',
    {
      nodes: [node('Slice', ['X', 's', 'e', 'ax'], ['y'])],
      tensors: [integers('s', [1], [1]), integers('e', [1], [9]), integers('ax', [1], [1])],
      width: 2,
    },
  ],
  [
    'Split',
    {
      nodes: [node('Split', ['X', 'sizes'], ['l', 'y'], { axis: 1 })],
      tensors: [integers('sizes', [2], [1, 2])],
      width: 2,
    },
  ],
  [
    'Unsqueeze, Squeeze, Transpose',
    {
      nodes: [
        node('Unsqueeze', ['X', 'two'], ['u']),
        node('Transpose', ['u'], ['v'], { perm: [0, 2, 1] }),
        node('Squeeze', ['v', 'first'], ['y']),
      ],
      tensors: [integers('two', [1], [2]), integers('first', [1], [1])],
    },
  ],
  ['Dropout', { nodes: [node('Dropout', ['X'], ['y'])] }],
  [
    'MatMul',
    { nodes: [node('MatMul', ['X', 'M'], ['y'])], tensors: [floats('M', [3, 2], [1, -2, 0.5, 3, 0, 1])], width: 2 },
  ],
  [
    'Gemm',
    {
      nodes: [node('Gemm', ['X', 'M', 'b'], ['y'], { alpha: 0.5, transB: 1 })],
      tensors: [floats('M', [2, 3], [1, -2, 0.5, 3, 0, 1]), floats('b', [2], [1, -1])],
      width: 2,
    },
  ],
];

describe('columns and shapes', () => {
  test.each(MOVES)('%s', async (_, graph) => {
    expect(await difference(graph)).toBeUndefined();
  });

  test.each([DataType.INT32, DataType.INT64, DataType.BOOL, DataType.DOUBLE])(
    'Cast of floats to type %d',
    async (to) => {
      expect(
        await difference({ nodes: [node('Cast', ['X'], ['cast'], { to }), node('Cast', ['cast'], ['y'], FLOAT)] }),
      ).toBeUndefined();
    },
  );
});

const VECTORS = [1, 2, 3, -0.5, 0.25, 1.5, 0, 0, -2, 2.5, -1, 0.75];

describe('linear models', () => {
  const TRANSFORMS = ['NONE', 'LOGISTIC', 'SOFTMAX'];
  /** From 0.01 to 0.05: about one half, a probit is what rounding makes of a difference. */
  const few = [node('Clip', ['X', 'some', 'more'], ['few'])];
  const FEW = [floats('some', [], [0.01]), floats('more', [], [0.05])];
  const linear = (classes: number, post_transform: string): Graph => ({
    nodes: [
      ...few,
      node('IsNaN', ['X'], ['m']),
      node('Where', ['m', 'marker', post_transform === 'PROBIT' ? 'few' : 'X'], ['c']),
      node('Clip', ['c', 'lowest', 'highest'], ['Z']),
      classic('LinearClassifier', ['Z'], ['label', 'y'], {
        classlabels_ints: [4, 5, 6].slice(0, Math.max(2, classes)),
        coefficients: [1e-3, -2e-3, 3e-3, 0, 0.011, -7e-3, 1e-4, 0.02, -0.01].slice(0, 3 * classes),
        intercepts: [0.3, -0.5, 0.1].slice(0, classes),
        post_transform,
      }),
    ],
    tensors: FEW,
    width: Math.max(2, classes),
  });

  test.each([1, 2].flatMap((targets) => [...TRANSFORMS, 'PROBIT'].map((transform) => [targets, transform] as const)))(
    '%d targets, %s',
    async (targets, post_transform) => {
      const coefficients = [1, 2, 3, 0.4, 0.5, 0.6].slice(0, 3 * targets);
      const own = { targets, coefficients, intercepts: [0.1, 0.2].slice(0, targets), post_transform };
      const nodes = [...few, classic('LinearRegressor', [post_transform === 'PROBIT' ? 'few' : 'X'], ['y'], own)];
      expect(await difference({ nodes, tensors: FEW, width: targets })).toBeUndefined();
    },
  );

  test('1 score, PROBIT, which leaves it one', async () => {
    expect(await difference({ ...linear(1, 'PROBIT'), width: 1 })).toBeUndefined();
  });

  test.each([2, 3])('%d scores, PROBIT', async (classes) => {
    expect(await difference(linear(classes, 'PROBIT'))).toBeUndefined();
  });

  test.each([1, 2, 3].flatMap((classes) => TRANSFORMS.map((transform) => [classes, transform] as const)))(
    '%d scores, %s',
    async (classes, transform) => {
      expect(await difference(linear(classes, transform))).toBeUndefined();
    },
  );

  test.each([
    ['support vectors', { kernel_type: 'RBF', n_supports: 4, support_vectors: VECTORS, coefficients: [1, -2, 0.5, 3] }],
    ['a weight for each column', { kernel_type: 'LINEAR', coefficients: [1, -2, 0.5] }],
  ])('SVMRegressor of %s', async (_, own) => {
    const attributes = { kernel_params: [0.3, 0, 3], post_transform: 'NONE', rho: [0.25], ...own };
    expect(await difference({ nodes: [classic('SVMRegressor', ['X'], ['y'], attributes)], width: 1 })).toBeUndefined();
  });
});
