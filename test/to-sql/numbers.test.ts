import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  decimalOf,
  firstRoundedTo,
  lastRoundedTo,
  nextDouble,
  nextFloat,
  previousDouble,
  previousFloat,
} from '../../src/lib/float32.ts';
import { quoteText, typedNumber, untypedNumber } from '../../src/to-sql/term.ts';

const floats = fc.float({ noNaN: true, noDefaultInfinity: true });

describe('a threshold for doubles', () => {
  test('splits them where their float32 is split', () => {
    fc.assert(
      fc.property(floats, (limit) => {
        const last = lastRoundedTo(limit);
        const first = firstRoundedTo(limit);
        expect(Math.fround(last)).toBe(limit === 0 ? 0 : limit);
        expect(Math.fround(nextDouble(last))).toBeGreaterThan(limit);
        expect(Math.fround(previousDouble(first))).toBeLessThan(limit);
        expect(Math.fround(first) === limit).toBe(true);
      }),
    );
  });

  test('says of any double what its float32 says', () => {
    fc.assert(
      fc.property(floats, fc.double({ noNaN: true, min: -1e38, max: 1e38 }), (limit, value) => {
        expect(value <= lastRoundedTo(limit)).toBe(Math.fround(value) <= limit);
        expect(value >= firstRoundedTo(limit)).toBe(Math.fround(value) >= limit);
      }),
    );
  });
});

describe('the decimal of a float32', () => {
  test('is read as the same', () => {
    fc.assert(fc.property(floats, (float) => Object.is(Math.fround(decimalOf(float)), float)));
  });

  test.each([
    [0.1, 0.1],
    [1 / 3, 0.33333334],
    [290705.125, 290705.12],
    [-20614777.5, -20614778],
    [50331648, 50331648],
    [123456792, 123456790],
    [1e-45, 1e-45],
    [3.4028234663852886e38, 3.4028235e38],
    [-0, -0],
    [-Infinity, -Infinity],
  ])('of %d is what PostgreSQL writes', (value, decimal) => {
    expect(decimalOf(Math.fround(value))).toBe(decimal);
  });

  test('ends, of what is none, too', () => {
    fc.assert(fc.property(fc.double(), (double) => typeof decimalOf(double) === 'number'));
  });
});

test('no float32 lies between one and its neighbour', () => {
  fc.assert(
    fc.property(floats, (value) => {
      const next = nextFloat(value);
      expect(next).toBeGreaterThan(value);
      expect(Math.fround(next)).toBe(next);
      expect(previousFloat(next) === value).toBe(true);
      expect([value, next]).toContain(Math.fround((value + next) / 2) || 0);
    }),
  );
});

test('a literal reads back as the number it was', () => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      const text = untypedNumber(value).slice(1, -1);
      expect(Number(text)).toBe(value);
      expect(typedNumber(value)).toBe(`'${text}'::double precision`);
    }),
  );
});

describe('a text as a literal', () => {
  test.each([
    ['plain', `'plain'`],
    [`it's`, `'it''s'`],
    ['a\\b', ` E'a\\\\b'`],
    [`\\'; drop table x; --`, ` E'\\\\''; drop table x; --'`],
  ])('%s', (text, literal) => {
    expect(quoteText(text)).toBe(literal);
  });

  test.each(['a\0b', '\ud800'])('that PostgreSQL can not hold is refused', (text) => {
    expect(() => quoteText(text)).toThrow(/a category or a name of the model holds/);
  });
});
