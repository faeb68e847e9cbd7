import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CategoryBins, NumberBins } from '../../src/monitor/value-bins.ts';

const numbers = fc.double({ min: -1e59, max: 1e59, noNaN: true });

/** The slot of a number, the slow way: missing 0, below 1, then the bins, above them last. */
function slotOf(x: number, ends: readonly number[]): number {
  const [low = Number.NaN, high = Number.NaN] = [ends[0], ends.at(-1)];
  if (Number.isNaN(x)) return 0;
  if (x < low) return 1;
  if (x > high) return ends.length + 1;
  return 2 + ends.slice(1, -1).filter((edge) => edge <= x).length;
}

function slotsOf(bins: NumberBins, values: readonly number[]): number[] {
  const slots = new Uint8Array(values.length);
  bins.slotsOf(Float64Array.from(values), values.length, slots);
  return [...slots];
}

test('a number is counted in the bin that begins at or before it', () => {
  const property = fc.property(
    fc.uniqueArray(numbers, { minLength: 2, maxLength: 101 }),
    fc.array(numbers),
    (some, more) => {
      const ends = some.toSorted((a, b) => a - b);
      const bins = new NumberBins(ends[0] ?? 0, ends.at(-1) ?? 0, ends.slice(1, -1));
      const all = [...more, ...ends, Number.NaN, Infinity, -Infinity, 0, -0];
      expect(slotsOf(bins, all)).toEqual(all.map((x) => slotOf(x, ends)));
    },
  );
  fc.assert(property, { seed: 20260325, numRuns: 300 });
});

test('bins that lie far apart and close together are the same bins', () => {
  const even = Array.from({ length: 101 }, (_, n) => n / 7);
  const skewed = Array.from({ length: 101 }, (_, n) => Math.exp(n / 7));
  for (const ends of [even, skewed, [0, Number.MIN_VALUE], [-1e59, 1e59], [-1e59, 0, 1e59], [1, 1 + Number.EPSILON]]) {
    const bins = new NumberBins(ends[0] ?? 0, ends.at(-1) ?? 0, ends.slice(1, -1));
    const near = ends.flatMap((end) => [
      end,
      end - Math.abs(end) * Number.EPSILON,
      end + Math.abs(end) * Number.EPSILON,
    ]);
    expect(slotsOf(bins, near)).toEqual(near.map((x) => slotOf(x, ends)));
  }
});

test('a constant has one bin, and a feature that was never there none', () => {
  const constant = new NumberBins(7, 7, []);
  expect([constant.size, ...slotsOf(constant, [Number.NaN, 6, 7, 8])]).toEqual([4, 0, 1, 2, 3]);
  const nothing = new NumberBins(null, null, []);
  expect([nothing.size, ...slotsOf(nothing, [Number.NaN, -Infinity, 0, Infinity])]).toEqual([3, 0, 2, 2, 2]);
});

test('a category has its bin, is known, or is new', () => {
  const known = Array.from({ length: 1000 }, (_, n) => `seldom ${n}`);
  const bins = new CategoryBins(['red', 'grün', ''], known);
  expect(bins.size).toBe(6);
  const texts = [
    'red',
    'grün',
    '',
    'seldom 0',
    'seldom 999',
    'seldom 1000',
    'Red',
    'x'.repeat(200),
    'x'.repeat(201),
    null,
  ];
  expect(texts.map((text) => bins.slotOfText(text))).toEqual([2, 3, 4, 5, 5, 1, 1, 1, 5, 0]);
});

test('where the known categories were too many to keep, none is new', () => {
  const bins = new CategoryBins(['red'], null);
  expect(['red', 'black', null].map((text) => bins.slotOfText(text))).toEqual([2, 3, 0]);
});
