import { createHash } from 'node:crypto';

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

/** Of 0 to 9,999 the SHA-256 of their buckets, with commas between them, as Python has it. */
const TEN_THOUSAND: readonly (readonly [kind: string, key: (n: number) => readonly KeyPart[], digest: string])[] = [
  ['integers', (n) => [n * n * 7919 - 10 ** 12], 'bd3e2885fe050da36a3b1706f10176e1fb865f1e67dea5d8a314cf2280f00287'],
  ['texts', (n) => [`Grün ${n} ☃`], 'adfe6f34fa438e8710acd4f406b994f85a7182271023e86cf400647d7a3c84e8'],
  [
    'uuids',
    (n) => [`0f9cbb1e-6c9a-4d43-9d0c-${n.toString(16).padStart(12, '0')}`],
    '5bfd47c5e40247673fe382808a4c01e089982203363eb9a764fd4792061a6432',
  ],
  ['several columns', (n) => ['AA', n], 'c048e719bab803f76a113e391cffe7f5d2dc417ceb1e2f77296b4531f4286bf9'],
];

test.each(TEN_THOUSAND)('ten thousand keys of %s are in the same buckets as in Python', (_, key, digest) => {
  const buckets = Array.from({ length: 10_000 }, (_one, n) => bucket('autumn', ...key(n)));
  expect(createHash('sha256').update(buckets.join(',')).digest('hex')).toBe(digest);
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
