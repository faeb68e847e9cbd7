import { describe, expect, test } from '@jest/globals';
import { readNumbers } from '../../../src/online/requests/request-rows.ts';
import { arraySend, numbersText } from '../array-send.ts';

const ROWS = [
  [0.1, null, -0],
  [Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53],
];

describe('rows of numbers', () => {
  test('are read bit by bit, NULL as another thing than NaN', () => {
    const { rows } = readNumbers(numbersText(arraySend(ROWS)));
    expect([rows.length, rows.width]).toEqual([2, 3]);
    expect(ROWS.map((row, at) => row.map((_, feature) => rows.get(at, feature)))).toEqual(ROWS);
  });

  test('are read from reals, too', () => {
    const head = arraySend([[1]], 700).subarray(0, 28);
    const value = Buffer.from([0, 0, 0, 4, 0x3d, 0xcc, 0xcc, 0xcd]);
    const { rows } = readNumbers(numbersText(Buffer.concat([head, value])));
    expect(rows.get(0, 0)).toBe(Math.fround(0.1));
  });

  test('come with what each is about, where that was sent', () => {
    const about = { id: [7, 8], region: ['north', null] };
    expect(readNumbers(numbersText(arraySend(ROWS), about)).about).toEqual(about);
    expect(readNumbers(numbersText(arraySend(ROWS))).about).toEqual({});
  });

  test('have the decimals that their reals are written as', () => {
    const [third, half] = [Math.fround(1 / 3), 0.5];
    const { rows } = readNumbers(numbersText(arraySend([[third, third, null, half]]), {}, [1, 2, 3]));
    expect([0, 1, 2, 3].map((feature) => rows.slice(0, 1).written(0, feature))).toEqual([
      third,
      0.33333334,
      null,
      half,
    ]);
    expect(rows.get(0, 1)).toBe(third);
  });

  test('are views where a part of them is taken', () => {
    const { rows } = readNumbers(
      numbersText(
        arraySend([
          [1, null],
          [3, 4],
          [5, 6],
        ]),
      ),
    );
    const part = rows.slice(1, 9);
    expect([part.length, part.get(0, 0), part.get(1, 1)]).toEqual([2, 3, 6]);
    expect(rows.slice(0, 1).get(0, 1)).toBeNull();
  });
});

describe('what is cut off or made up is refused', () => {
  const whole = arraySend(ROWS);

  test.each(Array.from({ length: whole.length }, (_, bytes) => bytes))('after %i bytes', (bytes) => {
    expect(() => readNumbers(numbersText(whole.subarray(0, bytes)))).toThrow(Error);
  });

  test.each([
    ['with more behind it', Buffer.concat([whole, Buffer.alloc(4)])],
    ['of texts', arraySend(ROWS, 25)],
    ['of one dimension', Buffer.from(whole).fill(1, 3, 4)],
    ['of more rows than there are bytes', Buffer.from(whole).fill(0x7f, 12, 16)],
    ['of a negative number of rows', Buffer.from(whole).fill(0xff, 12, 16)],
    ['of no width', Buffer.from(whole).fill(0, 20, 24)],
    ['with a value of another length', Buffer.from(whole).fill(9, 31, 32)],
    ['with a NULL that its head denies', Buffer.from(whole).fill(0, 4, 8)],
  ])('%s', (_, bytes) => {
    expect(() => readNumbers(numbersText(bytes))).toThrow(Error);
  });

  test.each([[null], [7], [{ id: [1] }], [{ id: 'x' }], [{ id: { length: 2 } }]])('about %j', (about) => {
    expect(() => readNumbers(numbersText(whole, about))).toThrow(Error);
  });

  test('without which features are reals', () => {
    expect(() => readNumbers(numbersText(whole, {}, null))).toThrow(Error);
    expect(readNumbers(numbersText(arraySend([[1e-3 / 3]]), {}, [0])).rows.written(0, 0)).toBeCloseTo(1e-3 / 3, 9);
  });

  test('without a line of what they are about', () => {
    expect(() => readNumbers('numbers\n')).toThrow(Error);
    expect(() => readNumbers('numbers\n{')).toThrow(Error);
  });
});
