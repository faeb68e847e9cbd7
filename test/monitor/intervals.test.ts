import { expect, test } from '@jest/globals';

import { howMany } from '../support/night.ts';
import { coverages, FEW } from './intervals/coverage.ts';
import { seeded } from './intervals/draws.ts';

test('every interval of 95 % holds 93 % at least: few entities and many, heavy tails, near 0 and 1, and with clusters', () => {
  // Three standard deviations of chance; the night and `npm run intervals` have less of it.
  const low = [...coverages(FEW, seeded(20), howMany(60, 300), howMany(12_000, 60_000))].filter(
    ({ held, draws }) => held < 0.93 - 3 * Math.sqrt((0.93 * 0.07) / draws),
  );
  expect(low).toEqual([]);
}, 120_000);
