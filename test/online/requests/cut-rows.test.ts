import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { cutRows, piecesOf, type Limits } from '../../../src/online/requests/cut-rows.ts';

/** So small that a few rows show what many do. */
const SMALL: Limits = { row: 1000, all: 5000, piece: 50 };

function parsed(text: string, limits?: Limits): unknown[] {
  const bytes = Buffer.from(text);
  const { cuts } = cutRows(bytes, limits);
  return [...piecesOf(bytes, cuts)].flatMap((piece) => JSON.parse(piece) as unknown[]);
}

describe('a list of rows', () => {
  test('is the same read in pieces, whatever is in its texts and however it is spaced', () => {
    const value = fc.jsonValue({ maxDepth: 2 });
    const hostile = fc.constantFrom('",', '\\', '\\"],[', '}', '[', 'é☃', ' ');
    const row = fc.dictionary(fc.oneof(hostile, fc.string({ maxLength: 5 })), fc.oneof(hostile, value), { maxKeys: 4 });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), fc.constantFrom(undefined, 1), (rows, space) => {
        const text = JSON.stringify(rows, undefined, space);
        expect(parsed(` ${text} `, { row: Infinity, all: Infinity, piece: 50 })).toEqual(JSON.parse(text));
      }),
    );
  });

  test('is cut between rows, into pieces of about the same', () => {
    const text = `[${Array.from({ length: 20 }, () => '{"a":[1,2],"b":"x,y"}').join()}]`;
    const { cuts } = cutRows(Buffer.from(text), { ...SMALL, piece: 300 });
    expect(cuts.length).toBeGreaterThan(3);
    for (const cut of cuts) expect(text.slice(cut - 1, cut + 2)).toBe('},{');
  });

  test.each(['[{},{}', '[{},,{}]', '[{},{},]', '[{},{}],[]', '[{]},{}]', '[{}] {}', '[{}}]'])(
    'that is not JSON, %s, is none in pieces either',
    (text) => {
      const bytes = Buffer.from(text);
      const { cuts } = cutRows(bytes, { ...SMALL, piece: 1 });
      const read = (): boolean =>
        [...piecesOf(bytes, cuts)].every((piece) => (JSON.parse(piece) as unknown[]).length > 0);
      let isJson = false;
      try {
        isJson = read();
      } catch {
        isJson = false;
      }
      expect(isJson).toBe(false);
    },
  );
});

test('what is no list is not cut', () => {
  expect(cutRows(Buffer.from(`{"a":[${'1,'.repeat(200)}1]}`), SMALL).cuts).toEqual([]);
});

describe('rows are refused by how much is in them', () => {
  const rowOf = (lists: number): string => `{"x":[${'[],'.repeat(lists)}1]}`;

  test('one that has more than any can have, and the error says which', () => {
    const text = `[${rowOf(2)},${rowOf(100)},${rowOf(2)}]`;
    expect(() => cutRows(Buffer.from(text), SMALL)).toThrow(
      expect.objectContaining({ sqlstate: '54000', detail: 'Row 2 of 3.', hint: expect.stringContaining('columns') }),
    );
  });

  test('all of them together', () => {
    const text = `[${Array.from({ length: 20 }, () => rowOf(20)).join()}]`;
    expect(() => cutRows(Buffer.from(text), SMALL)).toThrow(
      expect.objectContaining({ sqlstate: '54000', hint: expect.stringContaining('score_table') }),
    );
  });

  test('but not by the length of their texts, nor what these say', () => {
    const long = JSON.stringify({ x: '[],{},"",\\'.repeat(100_000) });
    expect(cutRows(Buffer.from(long), SMALL)).toEqual({ bytes: expect.any(Number), cuts: [] });
  });

  test('score_rows() sends none of these: four megabytes of the shortest rows, a row as wide as a table, a picture', () => {
    const shortest = `[${Array.from({ length: 1000 }, () => `{${Array.from({ length: 660 }, () => '"a":0').join()}}`).join()}]`;
    const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 1600 }, (_, n) => [`c${n}`, 'text'])));
    const picture = JSON.stringify({ x: Array.from({ length: 3 * 512 * 512 }, () => 0.5) });
    for (const text of [shortest, wide, picture]) expect(() => cutRows(Buffer.from(text))).not.toThrow();
  });
});
