import { expect, test } from '@jest/globals';
import { FailureIsolation } from '../../src/online/runners.ts';

const MINUTE_MS = 60_000;
const SMALL = 1;
const OTHER = 2;

test('a version in which one runner hung or crashed is not left alone: it may have been an accident', () => {
  const blame = new FailureIsolation();
  expect(blame.refusedMs(SMALL, 0)).toBeUndefined();
  blame.add(SMALL, 0);
  expect(blame.refusedMs(SMALL, 0)).toBeUndefined();
});

test('one that did so twice is left alone until ten minutes after the first time, and no other is', () => {
  const blame = new FailureIsolation();
  blame.add(SMALL, 0);
  blame.add(OTHER, MINUTE_MS);
  blame.add(SMALL, 4 * MINUTE_MS);
  expect(blame.refusedMs(SMALL, 4 * MINUTE_MS)).toBe(6 * MINUTE_MS);
  expect(blame.refusedMs(SMALL, 10 * MINUTE_MS - 1)).toBe(1);
  expect(blame.refusedMs(SMALL, 10 * MINUTE_MS)).toBeUndefined();
  expect(blame.refusedMs(OTHER, 4 * MINUTE_MS)).toBeUndefined();
});

test('two times that are ten minutes apart are two accidents', () => {
  const blame = new FailureIsolation();
  blame.add(SMALL, 0);
  blame.add(SMALL, 10 * MINUTE_MS);
  expect(blame.refusedMs(SMALL, 10 * MINUTE_MS)).toBeUndefined();
});

test('a third time counts from the second on', () => {
  const blame = new FailureIsolation();
  for (const minute of [0, 4, 9]) blame.add(SMALL, minute * MINUTE_MS);
  expect(blame.refusedMs(SMALL, 9 * MINUTE_MS)).toBe(5 * MINUTE_MS);
  expect(blame.refusedMs(SMALL, 14 * MINUTE_MS)).toBeUndefined();
});
