import { describe, expect, test } from '@jest/globals';

import { checkSize } from '../../../src/online/requests/request-rows.ts';

/** So small that a few rows show what many do. */
const SMALL = 5000;

describe('rows are refused by how much is in them', () => {
  test('one, or all of them together', () => {
    const rowOf = (lists: number): string => `{"x":[${'[],'.repeat(lists)}1]}`;
    for (const text of [rowOf(400), `[${Array.from({ length: 20 }, () => rowOf(20)).join()}]`])
      expect(() => checkSize(text, SMALL)).toThrow(
        expect.objectContaining({ sqlstate: '54000', hint: expect.stringContaining('score_table') }),
      );
  });

  test('but not by the length of their texts, nor what these say', () => {
    const long = JSON.stringify({ x: '[],{},"",\\'.repeat(100_000) });
    expect(() => checkSize(long, SMALL)).not.toThrow();
  });

  test('score_rows() sends none of these: a megabyte of the shortest rows, a row as wide as a table, a picture', () => {
    const shortest = `[${Array.from({ length: 1000 }, () => `{"a":[${Array.from({ length: 330 }, () => '[]').join()}]}`).join()}]`;
    const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 1600 }, (_, n) => [`c${n}`, 'text'])));
    const picture = JSON.stringify({ x: Array.from({ length: 3 * 512 * 512 }, () => 0.5) });
    for (const text of [shortest, wide, picture]) expect(() => checkSize(text)).not.toThrow();
  });
});
