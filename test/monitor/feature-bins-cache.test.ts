import { expect, test } from '@jest/globals';

import type { Queryable } from '../../src/db/statement.ts';
import { FeatureBinsCache } from '../../src/monitor/feature-bins.ts';

/** How often bins were read that have so many features of a kind, when each of twenty versions was scored twice. */
async function reads(features: number, row: object): Promise<number> {
  let count = 0;
  const query = (): Promise<{ rows: object[] }> => {
    count += 1;
    return Promise.resolve({
      rows: Array.from({ length: features }, (_, at) => ({ set_id: 1, feature: at + 1, name: 'x', ...row })),
    });
  };
  const cache = new FeatureBinsCache();
  for (let turn = 0; turn < 2; turn += 1)
    for (let version = 0; version < 20; version += 1) await cache.get({ query } as unknown as Queryable, version, 1);
  return count;
}

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `category ${n}`);

test('bins are kept as long as they take little memory, and a category takes some', async () => {
  expect(await reads(20, { kind: 'number', low: 0, high: 2, edges: [1] })).toBe(20);
  expect(await reads(20, { kind: 'category', categories: names(50), others: [] })).toBe(20);
  expect(await reads(20, { kind: 'category', categories: names(50), others: names(1000) })).toBe(40);
});
