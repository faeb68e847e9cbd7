import { describe, expect, test } from '@jest/globals';
import type { NodeProto, TensorProto } from 'onnx-buf';
import type { Signature } from '../../src/model/signature.ts';
import { cloneDatabase } from '../support/database.ts';
import { classic, DataType, floats, integers, node, onnxModel, strings, tensorValue } from '../support/onnx-builder.ts';
import { addNullFeature, compiledAs, firstDifference } from './compiled.ts';

const database = await cloneDatabase();
const client = await database.client();
await addNullFeature(client);

const FLOAT = { to: DataType.FLOAT };

/** Three float columns a, b, c, an integer n and a text t; as many outputs as the operator gives. */
function signatureOf(width: number): Signature {
  const matrix = ['a', 'b', 'c'].map((name, position) => ({
    name,
    input: 'X',
    position,
    type: 'float32',
    nulls: 'nan',
  }));
  const others = [
    { name: 'n', input: 'n', position: 0, type: 'int64', nulls: 'default', default: 3 },
    { name: 't', input: 't', position: 0, type: 'string', nulls: 'default', default: 'none' },
    { name: 'f', input: 'f', position: 0, type: 'bool', nulls: 'default', default: true },
  ];
  return {
    task: 'multiclass',
    inputs: [
      { name: 'X', type: 'float32', width: 3, shape: [null, 3] },
      { name: 'n', type: 'int64', width: 1, shape: [null, 1] },
      { name: 't', type: 'string', width: 1, shape: [null, 1] },
      { name: 'f', type: 'bool', width: 1, shape: [null, 1] },
    ],
    features: [...matrix, ...others].map((feature) => ({ ...feature, width: 1 })) as Signature['features'],
    outputs: { probabilities: { name: 'seen', width } },
    classLabels: Array.from({ length: width }, (_, index) => String(index)),
    batch: null,
  };
}

/** A row with a NaN has no prediction, so that nothing else of it could be compared: here NaN and infinities are numbers. */
const VISIBLE = [
  node('Cast', ['y'], ['float'], FLOAT),
  node('IsNaN', ['float'], ['strange']),
  node('Where', ['strange', 'marker', 'float'], ['marked']),
  node('Clip', ['marked', 'lowest', 'highest'], ['seen']),
];

type Graph = { nodes: NodeProto[]; tensors?: TensorProto[]; width?: number; opset?: number };

function modelOf({ nodes, tensors = [], width = 3, opset = 17 }: Graph): Uint8Array {
  return onnxModel({
    nodes: [...nodes, ...VISIBLE],
    tensors: [...tensors, floats('marker', [], [-777]), floats('lowest', [], [-3e7]), floats('highest', [], [3e7])],
    inputs: [
      tensorValue('X', [null, 3]),
      tensorValue('n', [null, 1], DataType.INT64),
      tensorValue('t', [null, 1], DataType.STRING),
      tensorValue('f', [null, 1], DataType.BOOL),
    ],
    outputs: [tensorValue('seen', [null, width])],
    opset,
  });
}

async function difference(graph: Graph): Promise<string | undefined> {
  return firstDifference(await compiledAs(client, modelOf(graph), signatureOf(graph.width ?? 3)));
}

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
    ['Softmax before version 13', { nodes: [node('Softmax', ['X'], ['y'])], opset: 11 }] as [string, Graph],
  ])('%s', async (_, graph) => {
    expect(await difference(graph)).toBeUndefined();
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
    [
      'ArgMax',
      {
        nodes: [
          node('Clip', ['X', 'lowest', 'highest'], ['c']),
          node('IsNaN', ['c'], ['m']),
          node('Where', ['m', 'marker', 'c'], ['Z']),
          node('ArgMax', ['Z'], ['y'], { axis: 1 }),
        ],
        width: 1,
      },
    ] as [string, Graph],
    [
      'ArgMin',
      {
        nodes: [
          node('IsNaN', ['X'], ['m']),
          node('Where', ['m', 'marker', 'X'], ['Z']),
          node('ArgMin', ['Z'], ['y'], { axis: -1 }),
        ],
        width: 1,
      },
    ] as [string, Graph],
  ])('%s', async (_, graph) => {
    expect(await difference(graph)).toBeUndefined();
  });
});

describe('preprocessing', () => {
  const textTo = (op: string, attributes: object): Graph => ({
    nodes: [classic(op, ['t'], ['y'], attributes as never)],
    width: 1,
  });
  const hostile = ['red', '', `it's "a" \\ b; --`, "'); drop table x; --", '$$', 'Grün ☃', '\\', 'A', 'a'];
  const many = Array.from({ length: 40 }, (_, index) => `category ${index}`);

  test.each(['MAX', 'L1', 'L2'])('Normalizer %s', async (norm) => {
    expect(await difference({ nodes: [classic('Normalizer', ['X'], ['y'], { norm })] })).toBeUndefined();
  });

  test.each([
    ['Scaler', { offset: [0.5, 0, -3], scale: [2, 0.1, 1e-3] }],
    ['Imputer', { imputed_value_floats: [1, 2, 3], replaced_value_float: Number.NaN }],
    ['Imputer', { imputed_value_floats: [7], replaced_value_float: 0 }],
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

describe('columns and shapes', () => {
  test.each<[string, Graph]>([
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
  ])('%s', async (_, graph) => {
    expect(await difference(graph)).toBeUndefined();
  });

  test.each([DataType.INT64, DataType.BOOL, DataType.DOUBLE])('Cast of floats to type %d', async (to) => {
    expect(
      await difference({ nodes: [node('Cast', ['X'], ['cast'], { to }), node('Cast', ['cast'], ['y'], FLOAT)] }),
    ).toBeUndefined();
  });
});

describe('linear models', () => {
  const TRANSFORMS = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO'];
  const linear = (classes: number, post_transform: string): Graph => ({
    nodes: [
      node('IsNaN', ['X'], ['m']),
      node('Where', ['m', 'marker', 'X'], ['c']),
      node('Clip', ['c', 'lowest', 'highest'], ['Z']),
      classic('LinearClassifier', ['Z'], ['label', 'y'], {
        classlabels_ints: [4, 5, 6].slice(0, Math.max(2, classes)),
        coefficients: [1e-3, -2e-3, 3e-3, 0, 0.011, -7e-3, 1e-4, 0.02, -0.01].slice(0, 3 * classes),
        intercepts: [0.5, -0.5, 0.1].slice(0, classes),
        post_transform,
      }),
    ],
    width: Math.max(2, classes),
  });

  test.each([1, 2, 3].flatMap((classes) => TRANSFORMS.map((transform) => [classes, transform] as const)))(
    '%d scores, %s',
    async (classes, transform) => {
      expect(await difference(linear(classes, transform))).toBeUndefined();
    },
  );
});
