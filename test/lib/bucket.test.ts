import { expect, test } from '@jest/globals';

import { bucket, type KeyPart } from '../../src/lib/bucket.ts';

/** As the three lines of Python in docs/guides/roll-out-a-challenger.md have it. */
const PYTHON: readonly (readonly [salt: string, key: readonly KeyPart[], bucket: number])[] = [
  ['autumn', ['42'], 423],
  ['autumn', [42], 423],
  ['', [''], 4523],
  ['autumn', ['Grün ☃'], 8005],
  ['autumn', ['a', 'b'], 5272],
  ['autumn', [-7], 8248],
  ['autumn', [2n ** 63n - 1n], 1781],
  ['spring', ['0f9cbb1e-6c9a-4d43-9d0c-5d8a3e6f2b11'], 5682],
];

test.each(PYTHON)('with the salt "%s" the key %p is in bucket %i, as in Python', (salt, key, expected) => {
  expect(bucket(salt, ...key)).toBe(expected);
});

test('a million keys are shared out within a tenth of a point, also among those of another salt', () => {
  const counts = new Float64Array(10_000);
  let both = 0;
  for (let key = 1; key <= 1_000_000; key += 1) {
    const place = bucket('autumn', key);
    counts[place] = (counts[place] ?? 0) + 1;
    if (place < 1000 && bucket('spring', key) < 5000) both += 1;
  }
  const below = (limit: number): number => counts.slice(0, limit).reduce((sum, n) => sum + n, 0) / 1_000_000;
  for (const percent of [1, 10, 25, 50, 90]) {
    expect(Math.abs(below(percent * 100) - percent / 100)).toBeLessThan(0.001);
  }
  expect(Math.abs(both / 1_000_000 - 0.05)).toBeLessThan(0.001);
});
