import { expect, test } from '@jest/globals';
import { VersionFaults } from '../../src/online/version-faults.ts';

const MINUTE_MS = 60_000;
const SMALL = 1;
const OTHER = 2;

test('a version in which one runner hung or crashed is not left alone: it may have been an accident', () => {
  const faults = new VersionFaults();
  expect(faults.refusedMs(SMALL, 0)).toBeUndefined();
  faults.add(SMALL, 0);
  expect(faults.refusedMs(SMALL, 0)).toBeUndefined();
});

test('one that did so twice is left alone until ten minutes after the first time, and no other is', () => {
  const faults = new VersionFaults();
  faults.add(SMALL, 0);
  faults.add(OTHER, MINUTE_MS);
  faults.add(SMALL, 4 * MINUTE_MS);
  expect(faults.refusedMs(SMALL, 4 * MINUTE_MS)).toBe(6 * MINUTE_MS);
  expect(faults.refusedMs(SMALL, 10 * MINUTE_MS - 1)).toBe(1);
  expect(faults.refusedMs(SMALL, 10 * MINUTE_MS)).toBeUndefined();
  expect(faults.refusedMs(OTHER, 4 * MINUTE_MS)).toBeUndefined();
});

test('two times that are ten minutes apart are two accidents', () => {
  const faults = new VersionFaults();
  faults.add(SMALL, 0);
  faults.add(SMALL, 10 * MINUTE_MS);
  expect(faults.refusedMs(SMALL, 10 * MINUTE_MS)).toBeUndefined();
});

test('a third time counts from the second on', () => {
  const faults = new VersionFaults();
  for (const minute of [0, 4, 9]) faults.add(SMALL, minute * MINUTE_MS);
  expect(faults.refusedMs(SMALL, 9 * MINUTE_MS)).toBe(5 * MINUTE_MS);
  expect(faults.refusedMs(SMALL, 14 * MINUTE_MS)).toBeUndefined();
});
