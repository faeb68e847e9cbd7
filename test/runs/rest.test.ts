import { expect, test } from '@jest/globals';

import { restAfter } from '../../src/runs/worker.ts';

test('changed rows are looked for every 20 ms while they come, then ever more seldom, down to once a second', () => {
  expect(restAfter(1, 1000)).toBe(20);
  const rests = [20];
  while (rests.length < 40) rests.push(restAfter(0, rests.at(-1) ?? 0));
  expect(rests.slice(0, 3)).toEqual([20, 25, 31.25]);
  expect(rests.at(-1)).toBe(1000);
  // Some seconds pass before the first rest of a second.
  expect(rests.filter((rest) => rest < 1000).reduce((sum, rest) => sum + rest, 0)).toBeGreaterThan(3000);
});
