import { describe, expect, test } from '@jest/globals';
import { mapFeatures, declaredInputs, type DeclaredInput } from '../../src/check/features.ts';
import { FEATURES_KEY, metadataNames } from '../../src/check/names.ts';
import { readOutline } from '../../src/onnx/outline.ts';
import { caught } from '../support/caught.ts';
import { DataType, node, onnxModel, tensorValue, type Shape } from '../support/onnx-builder.ts';

const input = (name: string, width: number | null): DeclaredInput => ({
  name,
  type: 'float32',
  width,
  shape: [null, width],
});
const map = (inputs: DeclaredInput[], names?: string[]) =>
  mapFeatures(inputs, names).features.map((feature) => [feature.name, feature.input, feature.position, feature.width]);

describe('features', () => {
  test('are the inputs where each is one column', () => {
    expect(map([input('MonthlyCharges', 1), input('tenure', 1)])).toEqual([
      ['MonthlyCharges', 'MonthlyCharges', 0, 1],
      ['tenure', 'tenure', 0, 1],
    ]);
  });

  test('are the columns of a matrix, in the order of the names', () => {
    expect(map([input('X', 3)], ['a', 'b', 'c'])).toEqual([
      ['a', 'X', 0, 1],
      ['b', 'X', 1, 1],
      ['c', 'X', 2, 1],
    ]);
  });

  test('are one array column where a matrix has one name', () => {
    expect(map([input('X', 384)], ['embedding'])).toEqual([['embedding', 'X', 0, 384]]);
    expect(map([input('age', 1), input('X', 384)], ['age', 'embedding'])).toEqual([
      ['age', 'age', 0, 1],
      ['embedding', 'X', 0, 384],
    ]);
  });

  test('are no array column where the matrix takes booleans', () => {
    const error = caught(() => map([{ ...input('X', 3), type: 'bool' }], ['flags']));
    expect(error.code).toBe('model_feature_names_wrong');
    expect(error.message).toContain('3 values of bool');
  });

  test.each(['int64', 'string'] as const)('are one array column where a matrix of %s has one name', (type) => {
    expect(map([{ ...input('X', 3), type }], ['tokens'])).toEqual([['tokens', 'X', 0, 3]]);
  });

  test('are arrays of any length where whole numbers have an open width, and at most one name', () => {
    const tokens = (name: string): DeclaredInput => ({ ...input(name, null), type: 'int64' });
    expect(mapFeatures([tokens('ids'), tokens('mask')], undefined)).toEqual({
      inputs: ['ids', 'mask'].map((name) => ({ name, type: 'int64', width: 0, shape: [null, null] })),
      features: ['ids', 'mask'].map((name) => ({
        name,
        input: name,
        position: 0,
        type: 'int64',
        width: 0,
        shape: [null],
      })),
    });
    expect(map([tokens('ids'), tokens('mask')], ['words', 'mask'])).toEqual([
      ['words', 'ids', 0, 0],
      ['mask', 'mask', 0, 0],
    ]);
    expect(map([tokens('ids')], ['a', 'b']).map(([name, , position, width]) => [name, position, width])).toEqual([
      ['a', 0, 1],
      ['b', 1, 1],
    ]);
    expect(map([input('X', 3), tokens('ids')], ['a', 'b', 'c'])).toEqual([
      ['a', 'X', 0, 1],
      ['b', 'X', 1, 1],
      ['c', 'X', 2, 1],
      ['ids', 'ids', 0, 0],
    ]);
    expect(caught(() => map([input('X', null)])).code).toBe('model_feature_names_missing');
  });

  test('are whole inputs where [] follows the name, of any length where the file leaves it open', () => {
    expect(map([input('X', null)], ['x[]'])).toEqual([['x', 'X', 0, 0]]);
    expect(map([input('X', 3), input('Y', 2), input('Z', 1)], ['x[]', 'a', 'b', 'z'])).toEqual([
      ['x', 'X', 0, 3],
      ['a', 'Y', 0, 1],
      ['b', 'Y', 1, 1],
      ['z', 'Z', 0, 1],
    ]);
    expect(map([input('X', 3), input('Y', null), input('Z', 1)], ['x', 'y[]', 'z'])).toEqual([
      ['x', 'X', 0, 3],
      ['y', 'Y', 0, 0],
      ['z', 'Z', 0, 1],
    ]);
    expect(caught(() => map([input('X', 3), input('Y', null)], ['a', 'b', 'y[]']))).toMatchObject({
      code: 'model_feature_names_wrong',
      message: 'the model takes 4 features (X: 3, Y: 1), but 3 names were given',
    });
    expect(caught(() => map([input('X', 3), input('Y', null)], ['x[]', 'y[]', 'z']))).toMatchObject({
      message: 'the model takes 4 features (X: 3, Y: an array), but 3 names were given',
    });
  });

  test('are one array of several dimensions where an input has them', () => {
    const steps = (shape: (number | null)[], width: number | null): DeclaredInput => ({ ...input('X', width), shape });
    const shapeOf = (declared: DeclaredInput) => mapFeatures([declared], undefined).features[0]?.shape;
    expect(shapeOf(steps([null, 12, 3], 36))).toEqual([12, 3]);
    expect(shapeOf(steps([null, null, 3], null))).toEqual([null, 3]);
    expect(map([steps([null, null, 3], null), input('age', 1)], ['steps', 'age'])).toEqual([
      ['steps', 'X', 0, 0],
      ['age', 'age', 0, 1],
    ]);
  });

  test('close a width that the file leaves open', () => {
    expect(mapFeatures([input('X', null)], ['a', 'b']).inputs).toEqual([
      { name: 'X', type: 'float32', width: 2, shape: [null, 2] },
    ]);
    expect(map([input('age', 1), input('X', null)], ['age', 'a', 'b'])).toHaveLength(3);
  });

  test('are spread over several matrices; inputs of one column may keep their own name', () => {
    expect(map([input('num', 2), input('cat', 2)], ['a', 'b', 'c', 'd']).map(([name, from]) => [name, from])).toEqual([
      ['a', 'num'],
      ['b', 'num'],
      ['c', 'cat'],
      ['d', 'cat'],
    ]);
    expect(map([input('num', 3), input('age', 1)], ['a', 'b', 'c']).map(([name]) => name)).toEqual([
      'a',
      'b',
      'c',
      'age',
    ]);
  });

  test('without names for a matrix are refused with the lines to write', () => {
    const error = caught(() => map([input('X', 3)]));
    expect(error.code).toBe('model_feature_names_missing');
    expect(error.message).toContain('matrix of 3 columns');
    expect(error.remedy).toMatch(/--features[\s\S]*pgscore\.features[\s\S]*onnx\.save/);
  });

  test('in a wrong number are refused with both numbers', () => {
    const error = caught(() => map([input('X', 5)], ['a', 'b', 'c', 'd']));
    expect(error.code).toBe('model_feature_names_wrong');
    expect(error.message).toMatch(/takes 5 .* 4 names/);
  });

  test.each([[['a', 'a', 'b']], [['a', '', 'b']], [['a', 'b\0', 'c']], [['a', 'b', 'ü'.repeat(101)]]])(
    'named %j are refused',
    (names) => {
      expect(caught(() => map([input('X', 3)], names)).code).toBe('model_feature_names_wrong');
    },
  );
});

describe('names in the metadata', () => {
  const names = (text: string) => metadataNames({ [FEATURES_KEY]: text }, FEATURES_KEY, 'model_feature_names_wrong');

  test('are a JSON array or a list with commas', () => {
    expect(names('["a", "b, c"]')).toEqual(['a', 'b, c']);
    expect(names('a, b,c')).toEqual(['a', 'b', 'c']);
    expect(names('')).toBeUndefined();
    expect(metadataNames({}, FEATURES_KEY, 'model_feature_names_wrong')).toBeUndefined();
  });

  test.each([['["a", 1, null]'], ['[["a"]]'], ['["a"']])('are refused as %s', (text) => {
    expect(caught(() => names(text)).code).toBe('model_feature_names_wrong');
  });
});

describe('declared inputs', () => {
  const declare = (shape: Shape | null, type = DataType.FLOAT) => {
    const model = onnxModel({ nodes: [node('Identity', ['X'], ['y'])], inputs: [tensorValue('X', shape, type)] });
    return declaredInputs(readOutline(model).inputs);
  };

  test.each<[string, Shape | null, number | null, (number | null)[]]>([
    ['a vector is one column', [null], 1, [null]],
    ['a column', [null, 1], 1, [null, 1]],
    ['a matrix', ['N', 4], 4, [null, 4]],
    ['an open matrix', [null, null], null, [null, null]],
    ['no shape at all', null, null, [null, null]],
    ['a sequence of vectors', [1, 8, 4], 32, [null, 8, 4]],
    ['0 stands for open', [0, 4], 4, [null, 4]],
  ])('%s', (_, shape, width, read) => {
    expect(declare(shape)).toEqual([{ name: 'X', type: 'float32', width, shape: read }]);
  });

  test('of few bits are fed by way of wider ones', () => {
    expect(declare([null, 1], DataType.FLOAT16)).toMatchObject([{ type: 'float32', element: 'float16' }]);
    expect(declare([null, 1], DataType.UINT8)).toMatchObject([{ type: 'int32', element: 'uint8' }]);
    expect(declare([null, 1], DataType.UINT32)).toMatchObject([{ type: 'int64', element: 'uint32' }]);
  });

  test.each<[string, Shape, DataType]>([
    ['complex numbers', [null, 1], DataType.COMPLEX64],
    ['a single value', [], DataType.FLOAT],
    ['three open dimensions', [null, null, null, 4], DataType.FLOAT],
    ['more than a row can hold', [null, 3, 512, 512], DataType.FLOAT],
  ])('%s is refused', (_, shape, type) => {
    expect(caught(() => declare(shape, type)).code).toBe('model_input_unsupported');
  });

  test('without any the model is refused', () => {
    expect(caught(() => declaredInputs([])).code).toBe('model_input_unsupported');
  });
});
