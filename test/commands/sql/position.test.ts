import { expect, test } from '@jest/globals';
import { pointAt } from '../../../src/commands/sql/inputs.ts';

test('the mark stands under the place, on its line', () => {
  expect(pointAt('select 1,\n  nope\nfrom t', 13)).toBe('LINE 2:   nope\n          ^');
});

test('the place counts characters, not the halves of one', () => {
  expect(pointAt("select '😀', nope", 13)).toBe("LINE 1: select '😀', nope\n                     ^");
});

test('a long line is cut around the place', () => {
  const pointed = pointAt(`select ${'x, '.repeat(100)}nope`, 308);
  expect(pointed.split('\n')[0]).toMatch(/^LINE 1: ….*nope$/);
  expect(pointed.split('\n')[1]?.indexOf('^')).toBe(pointed.split('\n')[0]?.indexOf('nope'));
});
