import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readNumeric } from '../../src/copy/numeric.ts';
import { viewed } from '../../src/lib/bytes.ts';
import { numericSpecial, numericWire } from '../support/numeric-wire.ts';

function read(wire: Buffer): number | undefined {
  return readNumeric(viewed(wire).view, 0, wire.length);
}

const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`));

describe('numeric is read as the nearest double', () => {
  test.each([
    '0',
    '1',
    '-1',
    '0.1',
    '123.45',
    '9007199254740993',
    '9007199254740992.5',
    '0.30000000000000004',
    '179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123347747977',
    `0.${'0'.repeat(322)}3`,
    `1${'0'.repeat(22)}`,
    `1${'0'.repeat(23)}`,
    `8.${'9'.repeat(60)}`,
  ])('%s', (decimal) => {
    expect(read(numericWire(decimal))).toBe(Number(decimal));
  });

  test('of few digits', () => {
    fc.assert(
      fc.property(fc.boolean(), digits(9), digits(9), (negative, whole, fraction) => {
        const decimal = `${negative ? '-' : ''}${whole}.${fraction}`;
        expect(read(numericWire(decimal))).toBe(Number(decimal));
      }),
      { numRuns: 2000 },
    );
  });

  test('of many digits', () => {
    fc.assert(
      fc.property(digits(400), digits(400), (whole, fraction) => {
        const decimal = `${whole}.${fraction}`;
        expect(read(numericWire(decimal))).toBe(Number(decimal));
      }),
      { numRuns: 500 },
    );
  });
});

test('a numeric too large for a double is an infinity, one too small is zero', () => {
  expect(read(numericWire(`1${'0'.repeat(309)}`))).toBe(Number.POSITIVE_INFINITY);
  expect(read(numericWire(`-9${'9'.repeat(131_071)}`))).toBe(Number.NEGATIVE_INFINITY);
  expect(read(numericWire(`0.${'0'.repeat(400)}1`))).toBe(0);
});

test('NaN and the infinities', () => {
  expect(read(numericSpecial(0xc000))).toBeNaN();
  expect(read(numericSpecial(0xd000))).toBe(Number.POSITIVE_INFINITY);
  expect(read(numericSpecial(0xf000))).toBe(Number.NEGATIVE_INFINITY);
});

test('bytes that are no numeric are told', () => {
  expect(read(Buffer.alloc(7))).toBeUndefined();
  expect(read(numericWire('12.5').subarray(0, -1))).toBeUndefined();
  expect(read(Buffer.concat([numericWire('12.5'), Buffer.alloc(2)]))).toBeUndefined();
});
