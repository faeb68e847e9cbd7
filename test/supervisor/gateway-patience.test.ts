import { expect, test } from '@jest/globals';
import { patienceMs } from '../../src/supervisor/gateway-patience.ts';

test('a gateway that starts, or loads a model, may be silent for longer than one that answers calls', () => {
  expect(patienceMs(1000, true, undefined)).toBe(1000);
  expect(patienceMs(1000, true, 'try')).toBe(1000);
  expect(patienceMs(1000, false, undefined)).toBe(30_000);
  expect(patienceMs(1000, true, 'load')).toBe(120_000);
});

test('and never less long than one that answers calls', () => {
  expect(patienceMs(600_000, false, undefined)).toBe(600_000);
  expect(patienceMs(600_000, true, 'load')).toBe(600_000);
});
