import { describe, expect, test } from '@jest/globals';
import type { JsonRow } from '../../src/inference/json-rows.ts';
import type { Signature } from '../../src/inference/signature.ts';
import { compileNative } from '../../src/to-sql/compile.ts';
import { givenRows } from '../../src/to-sql/compile-thread.ts';
import { proofRows, rowsToProve } from '../../src/to-sql/proof-rows.ts';
import { classic, DataType, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { regressionSignature } from '../support/tree-models.ts';

const program = compileNative(
  onnxModel({ nodes: [classic('LinearRegressor', ['X'], ['y'], { coefficients: [1, 2, 3] })] }),
  regressionSignature,
);
const prove = (...given: JsonRow[]) => rowsToProve(program, regressionSignature, givenRows(regressionSignature, given));

describe('the rows that a compiled function is proven on', () => {
  test('begin with those that came with predictions, as the model reads them', () => {
    const [first, second] = prove(
      { A: '1', b: ' 2.5 ', c: '1e1', id: 'x', expected_value: '13.5' },
      { A: 7, b: '-0', c: 0, expected_value: '' },
    );
    expect(first).toEqual({ a: 1, b: 2.5, c: 10 });
    expect(second).toEqual({ a: 7, b: '-0', c: 0 });
  });

  test('hold a thousand of many such, from end to end, and all those where it may go wrong', () => {
    const many = Array.from({ length: 5000 }, (_, row) => ({ a: row, b: 0, c: 0 }));
    const rows = prove(...many);
    expect(rows.slice(0, 1000).map(({ a }) => a)).toEqual(many.filter((_, row) => row % 5 === 0).map(({ a }) => a));
    expect(rows).toHaveLength(1000 + proofRows(program, regressionSignature).length);
  });

  test('survive JSON, also what it has no number for', () => {
    const rows = prove({ a: 'nan', b: Number.POSITIVE_INFINITY, c: -0 }, { a: '-Infinity', b: null, c: '-0.0' });
    expect(rows.slice(0, 2)).toEqual([
      { a: 'NaN', b: 'Infinity', c: '-0' },
      { a: '-Infinity', b: null, c: '-0' },
    ]);
    expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
  });

  test('are refused where a text makes them long', () => {
    const features = Array.from({ length: 100 }, (_, position) => ({
      ...({ name: `f${position}`, input: 'X', position, type: 'string', width: 1, nulls: 'error' } as const),
    }));
    const signature: Signature = {
      ...regressionSignature,
      features,
      inputs: [{ name: 'X', type: 'string', width: 100, shape: [null, 100] }],
    };
    const category = (length: number) =>
      compileNative(
        onnxModel({
          nodes: [
            classic('LabelEncoder', ['X'], ['z'], {
              keys_strings: ['k'.repeat(length)],
              values_floats: [1],
              default_float: 0,
            }),
            node('ReduceSum', ['z', 'axis'], ['y'], { keepdims: 1 }),
          ],
          inputs: [tensorValue('X', [null, 100], DataType.STRING)],
          tensors: [integers('axis', [1], [1])],
        }),
        signature,
      );
    expect(rowsToProve(category(200), signature, [])).not.toHaveLength(0);
    expect(() => rowsToProve(category(2000), signature, [])).toThrow(
      'the rows to prove it on have more than 100 million characters',
    );
  });
});
