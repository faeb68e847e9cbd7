import { expect, test } from '@jest/globals';

import { howMany } from '../support/night.ts';
import { coverages, FEW, settingsOf } from './intervals/coverage.ts';
import { seeded } from './intervals/draws.ts';

test('every interval of 95 % holds 93 % at least: few entities and many, heavy tails, near 0 and 1, and with clusters', () => {
  // Three standard deviations of chance; the night and `npm run intervals` have less of it.
  const low = [...coverages(settingsOf(FEW), seeded(20), howMany(60, 300), howMany(12_000, 60_000))].filter(
    ({ held, draws }) => held < 0.93 - 3 * Math.sqrt((0.93 * 0.07) / draws),
  );
  expect(low).toEqual([]);
}, 120_000);

test('so does that of the difference of ROC AUC where few are positive and some of them score like negatives', () => {
  const settings = settingsOf({ entities: [], shares: [], classes: [[30, 970]], aucs: [0.97] });
  const hidden = settings.filter(({ name }) => name.includes('some hidden, one of an entity'));
  const found = [...coverages(hidden, seeded(20), howMany(1500, 10_000), Infinity)];
  expect(found.map(({ held }) => held >= 0.93)).toEqual([true, true, true]);
}, 120_000);
