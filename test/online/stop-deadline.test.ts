import { expect, test } from '@jest/globals';
import { patienceMs } from '../../src/online/gateway-process.ts';

test('a gateway that starts may be silent for longer than one that answers calls', () => {
  expect(patienceMs(1000, true)).toBe(1000);
  expect(patienceMs(1000, false)).toBe(30_000);
});

test('and never less long than one that answers calls', () => {
  expect(patienceMs(600_000, false)).toBe(600_000);
});
