import { describe, expect, test } from '@jest/globals';
import type { CheckOptions } from '../../src/check/options.ts';
import { mapFeatures, declaredInputs } from '../../src/check/features.ts';
import { decideNulls } from '../../src/check/null-handling.ts';
import { readOutline } from '../../src/onnx/outline.ts';
import { caught } from '../support/caught.ts';
import {
  classic,
  DataType,
  floats,
  graph,
  integers,
  node,
  onnxModel,
  tensorValue,
  type ModelParts,
} from '../support/onnx-builder.ts';

const imputer = (from: string, to: string, replaced = Number.NaN) =>
  classic('Imputer', [from], [to], { imputed_value_floats: [0], replaced_value_float: replaced });
const linear = (from: string) => classic('LinearRegressor', [from], ['y'], { coefficients: [1, 1, 1] });
const trees = (from: string, tracks: number[]) =>
  classic('TreeEnsembleRegressor', [from], ['y'], { nodes_missing_value_tracks_true: tracks });
const columns = integers('columns', [2], [0, 2]);
const rest = integers('rest', [1], [1]);

function decided(parts: ModelParts, names: string[] | null = ['a', 'b', 'c'], options: CheckOptions = {}) {
  const outline = readOutline(onnxModel(parts));
  const { features } = mapFeatures(declaredInputs(outline.inputs), names ?? undefined);
  return decideNulls(outline, features, options);
}

const rules = (parts: ModelParts, names?: string[]) => decided(parts, names).map(({ nulls }) => nulls);

describe('a NULL becomes NaN by itself', () => {
  test('where an imputer replaces NaN', () => {
    expect(rules({ nodes: [imputer('X', 'i'), linear('i')] })).toEqual(['nan', 'nan', 'nan']);
  });

  test('where a constant takes its place, as by nan_to_num()', () => {
    const nodes = [node('IsNaN', ['X'], ['missing']), node('Where', ['missing', 'mean', 'X'], ['w']), linear('w')];
    expect(rules({ nodes, tensors: [floats('mean', [1], [3])] })).toEqual(['nan', 'nan', 'nan']);
  });

  test('where a tree knows which way NaN goes', () => {
    expect(rules({ nodes: [trees('X', [0, 1, 0])] })).toEqual(['nan', 'nan', 'nan']);
  });

  test('only in the columns that reach the imputer', () => {
    const nodes = [
      classic('ArrayFeatureExtractor', ['X', 'columns'], ['some']),
      imputer('some', 'i'),
      classic('ArrayFeatureExtractor', ['X', 'rest'], ['others']),
      node('Concat', ['i', 'others'], ['all'], { axis: 1 }),
      linear('all'),
    ];
    expect(rules({ nodes, tensors: [columns, rest] })).toEqual(['nan', 'error', 'nan']);
  });

  test('through operators that only move and scale', () => {
    const nodes = [
      classic('Scaler', ['X'], ['s'], { offset: [0], scale: [1] }),
      node('Cast', ['s'], ['d'], { to: DataType.DOUBLE }),
      node('Sub', ['d', 'mean'], ['m']),
      node('Identity', ['m'], ['n']),
      imputer('n', 'i'),
      linear('i'),
    ];
    expect(rules({ nodes, tensors: [floats('mean', [1], [3])] })).toEqual(['nan', 'nan', 'nan']);
  });

  test('where separate inputs are joined first', () => {
    const inputs = ['a', 'b', 'c'].map((name) => tensorValue(name, [null, 1]));
    const nodes = [
      node('Concat', ['a', 'b'], ['ab'], { axis: 1 }),
      imputer('ab', 'i'),
      node('Concat', ['i', 'c'], ['all'], { axis: -1 }),
      linear('all'),
    ];
    expect(decided({ nodes, inputs }, null).map(({ nulls }) => nulls)).toEqual(['nan', 'nan', 'error']);
  });

  test('although the graph asks for the shape of the input', () => {
    expect(rules({ nodes: [node('Shape', ['X'], ['n']), trees('X', [1])] })).toEqual(['nan', 'nan', 'nan']);
  });
});

describe('a NULL makes a bad row', () => {
  test.each<[string, ModelParts]>([
    ['where nothing handles NaN', { nodes: [linear('X')] }],
    ['where the exporter dropped the routing of NaN', { nodes: [trees('X', [0, 0])] }],
    ['where the ensemble has no routing', { nodes: [classic('TreeEnsembleRegressor', ['X'], ['y'])] }],
    ['where the imputer replaces another value', { nodes: [imputer('X', 'i', -1), linear('i')] }],
    [
      'where one of two paths does not handle it',
      { nodes: [imputer('X', 'i'), linear('i'), node('Relu', ['X'], ['r'])] },
    ],
    [
      'where a constant takes the place of others',
      {
        nodes: [
          node('IsInf', ['X'], ['far']),
          node('IsNaN', ['mean'], ['missing']),
          node('Where', ['far', 'mean', 'X'], ['w']),
          node('Where', ['missing', 'mean', 'X'], ['v']),
        ],
        tensors: [floats('mean', [1], [3])],
      },
    ],
    [
      'where what takes its place is no constant',
      { nodes: [node('IsNaN', ['X'], ['missing']), node('Where', ['missing', 'X', 'X'], ['w']), linear('w')] },
    ],
    ['where the input is an output', { nodes: [imputer('X', 'i')], outputs: [tensorValue('X', [null, 3])] }],
    [
      'where a body reads the input by name',
      {
        nodes: [
          trees('X', [1]),
          node('If', ['c'], ['z'], { then_branch: graph({ nodes: [node('Relu', ['X'], ['r'])] }) }),
        ],
      },
    ],
    ['where columns are chosen at run time', { nodes: [node('Gather', ['X', 'X'], ['g'], { axis: 1 }), linear('g')] }],
    [
      'where NaN is cast to an integer',
      { nodes: [node('Cast', ['X'], ['n'], { to: DataType.INT64 }), trees('n', [1])] },
    ],
    [
      'where a function only has the name of an imputer',
      { nodes: [node('Imputer', ['X'], ['i'], { replaced_value_float: Number.NaN }, 'local'), linear('i')] },
    ],
  ])('%s', (_, parts) => {
    expect(rules(parts)).toEqual(['error', 'error', 'error']);
  });

  test('in integers, booleans and texts, whatever reads them', () => {
    const inputs = [DataType.INT64, DataType.BOOL, DataType.STRING].map((type, index) =>
      tensorValue('abc'.charAt(index), [null, 1], type),
    );
    const parts = { nodes: [node('Shape', ['a'], ['n'])], inputs };
    expect(decided(parts, null, { nulls: 'nan' }).map(({ nulls }) => nulls)).toEqual(['error', 'error', 'error']);
  });

  test('where the deployer wants it so', () => {
    const [a] = decided({ nodes: [imputer('X', 'i'), linear('i')] }, ['a', 'b', 'c'], { nulls: 'error' });
    expect(a?.nulls).toBe('error');
  });
});

describe('the deployer', () => {
  const parts = { nodes: [linear('X')] };

  test('may send NaN on', () => {
    expect(decided(parts, ['a', 'b', 'c'], { nulls: 'nan' }).map(({ nulls }) => nulls)).toEqual(['nan', 'nan', 'nan']);
  });

  test('may give a default for a feature', () => {
    expect(decided(parts, ['a', 'b', 'c'], { nullValues: { b: 7 } })).toMatchObject([
      { nulls: 'error' },
      { nulls: 'default', default: 7 },
      { nulls: 'error' },
    ]);
  });

  test.each([[{ d: 1 }], [{ a: 'one' }], [{ a: true }], [{ a: 1e300 }], [{ a: Number.NaN }]])(
    'may not give %j',
    (nullValues) => {
      expect(caught(() => decided(parts, ['a', 'b', 'c'], { nullValues })).code).toBe('model_null_values_wrong');
    },
  );

  test('must give defaults of the type of the feature', () => {
    const inputs = [tensorValue('n', [null, 1], DataType.INT64), tensorValue('t', [null, 1], DataType.STRING)];
    const typed = { nodes: [node('Shape', ['n'], ['s'])], inputs };
    expect(decided(typed, null, { nullValues: { n: 3, t: '' } })).toMatchObject([{ default: 3 }, { default: '' }]);
    expect(caught(() => decided(typed, null, { nullValues: { n: 0.5 } })).code).toBe('model_null_values_wrong');
    expect(caught(() => decided(typed, null, { nullValues: { t: 1 } })).code).toBe('model_null_values_wrong');
  });
});
