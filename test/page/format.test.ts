import { expect, test } from '@jest/globals';

import { ago, count, day, decimal, duration, percent, span } from '../../src/page/format.ts';

test('what is not known is a dash', () => {
  expect([count(null), percent(null), decimal(undefined), day(null), day('')]).toEqual(['–', '–', '–', '–', '–']);
});

test('numbers have the digits that say something', () => {
  expect([0.12345, 9.87654, 12.3456, 123.456, 1234.5, 12345.6].map((value) => decimal(value))).toEqual([
    '0.123',
    '9.877',
    '12.35',
    '123.5',
    '1235',
    '12,346',
  ]);
  expect([percent(0.98765), percent(1, 0), count(1234567)]).toEqual(['98.8 %', '100 %', '1,234,567']);
});

test('days are those of the view, whatever zone the browser is in', () => {
  expect([day('2026-02-03'), day('2026-02-03', true)]).toEqual(['3 Feb 2026', 'Feb 2026']);
});

test('spans are told in the unit that fits', () => {
  expect([0, 59, 90, 7200, 90_000, 200_000, 400_000_000].map((seconds) => span(seconds))).toEqual([
    '0 s',
    '59 s',
    '2 min',
    '2 h',
    '25 h',
    '2 days',
    '13 years',
  ]);
  expect([0.0412, 1.234, 12.3, null].map((seconds) => duration(seconds))).toEqual(['41 ms', '1.2 s', '12 s', '–']);
  expect(ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:00Z'))).toBe('5 min ago');
  expect(ago(null)).toBe('never');
});
