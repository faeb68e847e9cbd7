import { expect, test } from '@jest/globals';
import { cellOf, listOf, tableOf } from '../../src/commands/output.ts';

test('a table of records takes its columns from the first, and says so where there is none', () => {
  expect(tableOf([{ rows_done: 7, target: null }], 'Nothing.')).toBe(
    [' rows done | target', '-----------+--------', '         7 |'].join('\n'),
  );
  expect(tableOf([], 'Nothing.')).toBe('Nothing.');
});

test('a list leaves out what is not known', () => {
  expect(listOf({ state: 'done', error: null, rows_done: 7 })).toBe('state      done\nrows done  7');
});

test.each([
  [new Date('2013-07-04T12:00:00.123Z'), '2013-07-04 12:00:00Z'],
  [['champion', 'challenger'], 'champion, challenger'],
  [0.1 + 0.2, '0.3'],
  [12345678901, '12345678901'],
  [{ id: 1 }, '{"id":1}'],
  [false, 'false'],
  [null, null],
])('%j is shown as %j', (value, cell) => {
  expect(cellOf(value)).toBe(cell);
});
