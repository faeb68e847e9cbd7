import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import { classic, DataType, floats, integers, node, strings } from '../support/onnx-builder.ts';
import { difference as differenceOf, FLOAT } from './graphs.ts';
import type { Graph } from './graphs.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);
const difference = (graph: Graph) => differenceOf(client, graph);

const INPUTS = { strings: ['t', 1], int64s: ['n', 1], floats: ['X', 3] } as const;
const KEYS = { keys_strings: ['red', '', "it's"], keys_int64s: [1, -5, 3], keys_floats: [0.1, -2, 3] };
const VALUES = {
  values_strings: ['a', "b'c", ''],
  default_string: 'other',
  values_int64s: [5, 7, -9],
  default_int64: -2,
  values_floats: [1.5, 2, -3],
  default_float: 0.25,
};
type Kind = keyof typeof INPUTS;

/** From one kind to another, and what came out as a number. */
function encoder(from: Kind, to: Kind): Graph {
  const [input, width] = INPUTS[from];
  const own = Object.entries({ ...KEYS, ...VALUES }).filter(
    ([name]) => name === `keys_${from}` || name === `values_${to}` || name === `default_${to.replace(/s$/, '')}`,
  );
  const encoded = classic('LabelEncoder', [input], ['e'], Object.fromEntries(own));
  const words = { keys_strings: [...VALUES.values_strings, 'other'], values_floats: [1, 2, 3, 4] };
  const asNumber = to === 'strings' ? classic('LabelEncoder', ['e'], ['y'], words) : node('Cast', ['e'], ['y'], FLOAT);
  return { nodes: [encoded, asNumber], width };
}

describe('a label encoder', () => {
  const kinds = Object.keys(INPUTS) as Kind[];
  test.each(kinds.flatMap((from) => kinds.map((to) => [from, to] as const)))('of %s to %s', async (from, to) => {
    expect(await difference(encoder(from, to))).toBeUndefined();
  });

  test('that numbers its classes', async () => {
    const nodes = [
      classic('LabelEncoder', ['t'], ['e'], { classes_strings: ['red', 'none', ''] }),
      node('Cast', ['e'], ['y'], FLOAT),
    ];
    expect(await difference({ nodes, width: 1, classics: 1 })).toBeUndefined();
  });

  test.each([3, 4])('that has a key for what is missing, in version %d', async (classics) => {
    const own = { keys_floats: [1, Number.NaN], values_floats: [5, 7], default_float: 9 };
    expect(await difference({ nodes: [classic('LabelEncoder', ['X'], ['y'], own)], classics })).toBeUndefined();
  });

  test('that keeps its lists in tensors', async () => {
    const numbers = {
      keys_tensor: floats('k', [3], [1, Number.NaN, 0.1]),
      values_tensor: floats('v', [3], [5, 7, 8]),
      default_tensor: floats('d', [1], [9]),
    };
    const words = {
      keys_tensor: strings('k', ['red', '']),
      values_tensor: integers('v', [2], [5, 7]),
      default_tensor: integers('d', [1], [9]),
    };
    expect(await difference({ nodes: [classic('LabelEncoder', ['X'], ['y'], numbers)], classics: 4 })).toBeUndefined();
    const nodes = [classic('LabelEncoder', ['t'], ['e'], words), node('Cast', ['e'], ['y'], FLOAT)];
    expect(await difference({ nodes, width: 1, classics: 4 })).toBeUndefined();
  });
});

describe('a one-hot encoder', () => {
  test.each<[string, string, object, number]>([
    ['integers', 'n', { cats_int64s: [1, 2, 3], zeros: 1 }, 3],
    ['floats', 'X', { cats_int64s: [0, 1, 2], zeros: 1 }, 9],
    ['texts, of which it refuses others', 't', { cats_strings: ['red', 'none'], zeros: 0 }, 2],
  ])('of %s', async (_, input, attributes, width) => {
    const nodes = [classic('OneHotEncoder', [input], ['h'], attributes as never), node('Flatten', ['h'], ['y'])];
    expect(await difference({ nodes, width })).toBeUndefined();
  });
});

describe('of integers', () => {
  test.each<[string, object]>([
    ['Imputer', { imputed_value_int64s: [44], replaced_value_int64: 3 }],
    ['Scaler', { offset: [0.5], scale: [2] }],
    ['Normalizer', { norm: 'L2' }],
  ])('%s', async (op, attributes) => {
    const nodes = [classic(op, ['n'], ['z'], attributes as never), node('Cast', ['z'], ['y'], FLOAT)];
    expect(await difference({ nodes, width: 1 })).toBeUndefined();
  });

  test('CategoryMapper to texts', async () => {
    const own = { cats_strings: ['a', 'b'], cats_int64s: [1, 3], default_string: 'other' };
    const words = { keys_strings: ['a', 'b', 'other'], values_floats: [1, 2, 3] };
    const nodes = [classic('CategoryMapper', ['n'], ['e'], own), classic('LabelEncoder', ['e'], ['y'], words)];
    expect(await difference({ nodes, width: 1 })).toBeUndefined();
  });
});

test('a binarizer with a threshold', async () => {
  const imputed = classic('Imputer', ['X'], ['i'], { imputed_value_floats: [0.5], replaced_value_float: Number.NaN });
  const nodes = [imputed, classic('Binarizer', ['i'], ['y'], { threshold: 0.7 })];
  expect(await difference({ nodes })).toBeUndefined();
});

describe('a cast', () => {
  const { FLOAT: real, DOUBLE, INT32, INT64, BOOL } = DataType;
  test.each([
    ['integers', 'n', [BOOL, DOUBLE, INT32, real]],
    ['booleans', 'f', [INT32, INT64, DOUBLE, real]],
  ] as const)('of %s to each kind of number', async (_, input, kinds) => {
    for (const to of kinds) {
      const nodes = [node('Cast', [input], ['c'], { to }), node('Cast', ['c'], ['y'], FLOAT)];
      expect(await difference({ nodes, width: 1 })).toBeUndefined();
    }
  });

  test('of integers past 32 bits to 32, which keeps the lower half', async () => {
    const nodes = [node('Cast', ['n'], ['c'], { to: INT32 }), node('Cast', ['c'], ['y'], { to: DOUBLE })];
    expect(await difference({ nodes, width: 1 })).toBeUndefined();
  });

  test('of integers to texts', async () => {
    const words = { keys_strings: ['3', '-1', '0'], values_floats: [1, 2, 3], default_float: 7 };
    const nodes = [node('Cast', ['n'], ['c'], { to: DataType.STRING }), classic('LabelEncoder', ['c'], ['y'], words)];
    expect(await difference({ nodes, width: 1 })).toBeUndefined();
  });
});
