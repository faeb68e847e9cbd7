import { describe, expect, test } from '@jest/globals';
import type { JsonRow } from '../../src/model/json-rows.ts';
import { compileNative } from '../../src/native/compile.ts';
import { proofRows } from '../../src/native/proof-rows.ts';
import { rowsToProve } from '../../src/native/rows-to-prove.ts';
import { classic, onnxModel } from '../support/onnx-builder.ts';
import { regressionSignature } from '../support/tree-models.ts';

const program = compileNative(
  onnxModel({ nodes: [classic('LinearRegressor', ['X'], ['y'], { coefficients: [1, 2, 3] })] }),
  regressionSignature,
);
const prove = (...given: JsonRow[]) => rowsToProve(program, regressionSignature, given);

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

  test('survive JSON', () => {
    const rows = prove();
    expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
    const values = new Set(rows.flatMap((row) => Object.values(row)));
    expect([null, 'NaN', 'Infinity', '-Infinity', '-0'].filter((value) => !values.has(value))).toEqual([]);
  });
});
