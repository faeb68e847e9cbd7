import { expect, test } from '@jest/globals';
import { matchFeatures } from '../../../src/online/requests/match-features.ts';
import { NumberRows } from '../../../src/inference/number-rows.ts';
import type { Feature, TensorType } from '../../../src/inference/signature.ts';

const feature = (name: string, type: TensorType = 'float32'): Feature => ({
  name,
  input: 'X',
  position: 0,
  type,
  width: 1,
  nulls: 'nan',
});
const FEATURES = [feature('b'), feature('a', 'int64')];

const numbersIn = (rows: unknown): unknown =>
  rows instanceof NumberRows
    ? Array.from({ length: rows.length }, (_, row) =>
        Array.from({ length: rows.width }, (__, index) => rows.get(row, index)),
      )
    : rows;

test('rows of numbers and NULL become numbers in the order of the features', () => {
  const rows = [
    { id: 7, a: 1, b: 0.1 },
    { a: null, b: -2, more: 'x' },
  ];
  expect(numbersIn(matchFeatures(rows, FEATURES))).toEqual([
    [0.1, 1],
    [-2, null],
  ]);
});

test('of many calls each keeps its own numbers', () => {
  const calls = Array.from({ length: 5000 }, (_, n) => matchFeatures([{ a: n, b: n / 2 }], FEATURES));
  expect(calls.map(numbersIn)).toEqual(calls.map((_, n) => [[n / 2, n]]));
});

test.each([
  ['a number that JSON has no room for', '{"a": 1, "b": 1e400}'],
  ['an infinity', '{"a": 1, "b": "Infinity"}'],
  ['a text', '{"a": "1", "b": 0.5}'],
  ['a truth', '{"a": true, "b": 0.5}'],
])('a row with %s stays as it came', (_, text) => {
  const rows = [JSON.parse(text)];
  expect(matchFeatures(rows, FEATURES)).toBe(rows);
});

test('rows of a model that takes truths or texts stay as they came', () => {
  const rows = [{ a: 1, b: 2 }];
  for (const type of ['bool', 'string'] as const)
    expect(matchFeatures(rows, [feature('a'), feature('b', type)])).toBe(rows);
});

test('a feature that is found by another case alone has its own name afterwards', () => {
  expect(matchFeatures([{ A: 1, b: 2 }], FEATURES)).toEqual([{ a: 1, b: 2 }]);
});
