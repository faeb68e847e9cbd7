import { expect, test } from '@jest/globals';
import { matchColumns } from '../../src/inference/match-columns.ts';
import { caught } from '../support/caught.ts';

test('a column is found by its exact name before any other', () => {
  expect(matchColumns(['tenure', 'Tenure'], ['Tenure', 'tenure'])).toEqual(['tenure', 'Tenure']);
});

test('a column is found whatever its case where only one is alike', () => {
  expect(matchColumns(['MonthlyCharges'], ['monthlycharges', 'x'])).toEqual(['monthlycharges']);
  expect(caught(() => matchColumns(['MonthlyCharges'], ['monthlycharges', 'MONTHLYCHARGES'])).code).toBe(
    'feature_column_missing',
  );
});

test('a column is found by the name that skl2onnx gives it where only one is alike', () => {
  expect(matchColumns(['Größe_in__m_', 'a_b'], ['größe in (m)', 'A-B', 'x'])).toEqual(['größe in (m)', 'A-B']);
  expect(matchColumns(['a_b'], ['a b', 'A_B'])).toEqual(['A_B']);
  expect(caught(() => matchColumns(['a_b'], ['a b', 'a-b'])).message).toContain("more than one column: 'a b', 'a-b'");
});

test('a column of another feature is not found for one that is missing', () => {
  expect(caught(() => matchColumns(['a_b', 'a b'], ['a b'])).message).toContain("no column for 'a_b'");
});

test('a column is found by the map, which goes before the name', () => {
  expect(matchColumns(['a', 'b'], ['a', 'c', 'b'], { a: 'c' })).toEqual(['c', 'b']);
});

test('every missing column is named', () => {
  const error = caught(() => matchColumns(['a', 'b', 'constructor'], ['b']));
  expect(error.message).toMatch(/'a'.*'constructor'/);
  expect(error.remedy).toContain('b');
});
