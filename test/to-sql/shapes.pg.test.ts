import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import { classic, DataType, floats, int32, integers, node } from '../support/onnx-builder.ts';
import { difference as differenceOf, FLOAT } from './graphs.ts';
import type { Graph } from './graphs.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);
const difference = (graph: Graph) => differenceOf(client, graph);

const W = floats('W', [3], [2.5, -0.1, 1e-3]);

const TABLE = floats('table', [4, 2], [0.5, -1, 2, 3, -0.25, 7, 1, 0]);
const SHAPES: [string, Graph][] = [
  [
    'the mean of models that are stacked before the rows',
    {
      nodes: [
        node('Mul', ['X', 'W'], ['Z']),
        node('Reshape', ['X', 'first'], ['a']),
        node('Reshape', ['Z', 'first'], ['b']),
        node('Concat', ['a', 'b'], ['both'], { axis: 0 }),
        node('ReduceMean', ['both'], ['y'], { axes: [0], keepdims: 0 }),
      ],
      tensors: [W, integers('first', [3], [1, -1, 3])],
    },
  ],
  [
    'rows that are turned to the end and back',
    {
      nodes: [
        node('Transpose', ['X'], ['turned'], { perm: [1, 0] }),
        node('Add', ['turned', 'column'], ['s']),
        node('Transpose', ['s'], ['y']),
      ],
      tensors: [floats('column', [3, 1], [1, 2, 3])],
    },
  ],
  [
    'columns that are transposed',
    {
      nodes: [
        node('Concat', ['X', 'X'], ['six'], { axis: 1 }),
        node('Mul', ['six', 'V'], ['scaled']),
        node('Reshape', ['scaled', 'wide'], ['w']),
        node('Transpose', ['w'], ['turned'], { perm: [0, 2, 1] }),
        node('Flatten', ['turned'], ['y']),
      ],
      tensors: [floats('V', [6], [1, 2, 3, 4, 5, 6]), integers('wide', [3], [-1, 2, 3])],
      width: 6,
    },
  ],
  [
    'as many constants as there are rows',
    {
      nodes: [
        node('Shape', ['X'], ['shape']),
        node('ConstantOfShape', ['shape'], ['zeros']),
        node('Expand', ['W', 'shape'], ['wide']),
        node('Add', ['zeros', 'wide'], ['sum']),
        node('Add', ['sum', 'X'], ['y']),
      ],
      tensors: [W],
    },
  ],
  [
    'a shape put together from the number of rows',
    {
      nodes: [
        node('Shape', ['X'], ['shape']),
        node('Gather', ['shape', 'none'], ['rows']),
        node('Concat', ['rows', 'three'], ['wanted'], { axis: 0 }),
        node('Reshape', ['X', 'wanted'], ['y']),
      ],
      tensors: [integers('none', [1], [0]), integers('three', [1], [3])],
    },
  ],
  [
    'a product with a column, raised',
    {
      nodes: [node('MatMul', ['X', 'W'], ['s']), node('Reshape', ['s', 'one'], ['y'])],
      tensors: [W, integers('one', [2], [-1, 1])],
      width: 1,
    },
  ],
  [
    'constants that are computed from constants',
    {
      nodes: [
        node('Exp', ['W'], ['e']),
        node('ReduceSum', ['e'], ['s'], { axes: [0] }),
        node('Mul', ['X', 's'], ['y']),
      ],
      tensors: [W],
      opset: 11,
    },
  ],
  [
    'a row of a table, by a column that says which',
    {
      nodes: [node('Gather', ['table', 'n'], ['e']), node('Flatten', ['e'], ['y'])],
      tensors: [TABLE],
      width: 2,
    },
  ],
  [
    'a place in each list of a table',
    {
      nodes: [classic('ArrayFeatureExtractor', ['table', 'n'], ['l']), node('Transpose', ['l'], ['y'])],
      tensors: [floats('table', [2, 4], [0.5, -1, 2, 3, -0.25, 7, 1, 0])],
      width: 2,
    },
  ],
];

describe('shapes of the graph', () => {
  test.each(SHAPES)('%s', async (_, graph) => {
    expect(await difference(graph)).toBeUndefined();
  });

  test('a feature that is imputed, in a sum and against a threshold', async () => {
    const nodes = [
      classic('Imputer', ['X'], ['Z'], { imputed_value_floats: [1, 2, 3], replaced_value_float: Number.NaN }),
      node('Greater', ['Z', 'W'], ['is']),
      node('Cast', ['is'], ['high'], FLOAT),
      node('Add', ['Z', 'high'], ['y']),
    ];
    expect(await difference({ nodes, tensors: [W] })).toBeUndefined();
  });
});

/** Votes for the largest of three columns, in exponentials, over what they add up to, unless that is 0. */
const votes = (against: number): Graph => ({
  nodes: [
    node('ArgMax', ['X'], ['most'], { axis: 1 }),
    node('Equal', ['most', 'places'], ['is most']),
    node('Where', ['is most', 'one', 'against'], ['vote']),
    node('Mul', ['vote', 'weight'], ['weighed']),
    node('Sum', ['weighed', 'weighed', 'weighed'], ['added']),
    node('Exp', ['added'], ['powers']),
    node('ReduceSum', ['powers', 'axis'], ['total'], { keepdims: 1 }),
    node('Cast', ['total'], ['whole'], { to: DataType.INT32 }),
    node('Equal', ['whole', 'nought'], ['is none']),
    node('Cast', ['is none'], ['instead'], FLOAT),
    node('Add', ['total', 'instead'], ['divisor']),
    node('Div', ['powers', 'divisor'], ['y']),
  ],
  tensors: [
    integers('places', [1, 3], [0, 1, 2]),
    floats('one', [], [1]),
    floats('against', [], [against]),
    floats('weight', [], [0.7]),
    integers('axis', [1], [1]),
    int32('nought', 0),
  ],
});

describe('sums of what is never negative', () => {
  test('exponentials whose exponents add up to 0 come to more than 1', async () => {
    expect(await difference(votes(-0.5))).toBeUndefined();
  });

  test('exponentials that may come to less than 1 are not compiled where that decides', async () => {
    await expect(difference(votes(-5))).rejects.toThrow(
      'operator Cast behind a sum of columns is not compiled: rounding could decide it',
    );
  });

  test('a share of a sum, unless that is 0', async () => {
    const nodes = [
      node('Clip', ['X', 'least', 'most'], ['Z']),
      node('Sigmoid', ['Z'], ['shares']),
      node('ReduceSum', ['shares', 'axis'], ['total'], { keepdims: 1 }),
      node('Cast', ['total'], ['some'], { to: DataType.BOOL }),
      node('Not', ['some'], ['none']),
      node('Cast', ['none'], ['instead'], FLOAT),
      node('Add', ['total', 'instead'], ['divisor']),
      node('Div', ['shares', 'divisor'], ['y']),
    ];
    const tensors = [integers('axis', [1], [1]), floats('least', [], [-3]), floats('most', [], [3])];
    expect(await difference({ nodes, tensors })).toBeUndefined();
  });
});
