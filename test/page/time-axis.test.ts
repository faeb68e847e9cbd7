import { expect, test } from '@jest/globals';

import { breaksIn, shortened, unshortened } from '../../src/page/breaks.ts';
import { timeAxis } from '../../src/page/time-axis.ts';

const DAY = 86_400_000;
const month = (year: number, at: number): number => Date.UTC(year, at);
const year2013 = Array.from({ length: 12 }, (_, at) => month(2013, at));

test('years in which nothing happened, beside twelve months and one, are a break', () => {
  expect(breaksIn([...year2013, month(2026, 10)])).toMatchObject([{ from: month(2013, 11), to: month(2026, 10) }]);
});

test('a pause that leaves the rest readable is none, nor is the space between two windows', () => {
  expect(breaksIn([...year2013, month(2014, 9)])).toEqual([]);
  expect(breaksIn([month(2013, 0), month(2026, 0)])).toEqual([]);
  expect(breaksIn([])).toEqual([]);
});

test('distances are true before a break and after it, and it takes little room', () => {
  const times = [...year2013, month(2026, 10), month(2026, 11)];
  const breaks = breaksIn(times);
  const at = (time: number): number => shortened(time, breaks);
  expect(at(month(2013, 5)) - at(month(2013, 0))).toBe(151 * DAY);
  expect(at(month(2026, 11)) - at(month(2026, 10))).toBe(30 * DAY);
  expect(at(month(2026, 10)) - at(month(2013, 11))).toBeLessThan(100 * DAY);
  for (const time of [...times, month(2020, 0)]) expect(unshortened(at(time), breaks)).toBeCloseTo(time, -1);
});

test('days that a break parts from others are named by their day, as far apart as there is room', () => {
  const january = Array.from({ length: 31 }, (_, at) => Date.UTC(2013, 0, at + 1));
  const { ticks } = timeAxis([...january, Date.UTC(2013, 11, 1)]) as {
    ticks: { autoSkipPadding: number; callback: (at: number) => string };
  };
  expect(new Set(january.map((at) => ticks.callback(at))).size).toBe(31);
  // January is a third of the axis.
  expect(ticks.autoSkipPadding).toBeGreaterThan(2 * 62);
});
