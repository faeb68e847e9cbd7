import { expect, test } from '@jest/globals';
import { silenceLimitMs } from '../../src/online/gateway-process.ts';

test('a gateway that starts may be silent for longer than one that answers calls', () => {
  expect(silenceLimitMs(1000, true)).toBe(1000);
  expect(silenceLimitMs(1000, false)).toBe(30_000);
});

test('and never less long than one that answers calls', () => {
  expect(silenceLimitMs(600_000, false)).toBe(600_000);
});
