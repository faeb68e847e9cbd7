import { describe, expect, test } from '@jest/globals';
import { formatTable } from '../../src/commands/output.ts';

const text = (name: string) => ({ name, right: false });
const number = (name: string) => ({ name, right: true });

describe('a table', () => {
  test('lines its columns up, numbers at the right', () => {
    const table = formatTable(
      [text('model'), number('rows')],
      [
        ['churn', '7'],
        ['arrival_delay', '1234'],
      ],
    );
    expect(table).toBe(
      [' model         | rows', '---------------+------', ' churn         |    7', ' arrival_delay | 1234'].join('\n'),
    );
  });

  test('gives a cell of several lines several lines, and NULL none', () => {
    const table = formatTable([text('a'), text('b')], [['one\ntwo', null]]);
    expect(table.split('\n').slice(2)).toEqual([' one |', ' two |']);
  });

  test('counts a wide character as the two columns it takes', () => {
    const table = formatTable(
      [text('a'), text('b')],
      [
        ['表', 'x'],
        ['abc', 'y'],
      ],
    );
    expect(table.split('\n').slice(2)).toEqual([' 表  | x', ' abc | y']);
  });

  test('shows what a terminal would obey, instead of sending it', () => {
    const table = formatTable([text('a')], [['\u001b[2Jgone\u0007 \u202eright to left']]);
    expect(table).toContain('\\x1b[2Jgone\\x07 \\u202eright to left');
  });

  test('of very many rows is laid out like any other', () => {
    const rows = Array.from({ length: 200_000 }, (_, row) => [String(row)]);
    expect(formatTable([number('a')], rows).split('\n')).toHaveLength(200_002);
  });

  test('with no rows is its header', () => {
    expect(formatTable([text('a')], [])).toBe(' a\n---');
  });
});
