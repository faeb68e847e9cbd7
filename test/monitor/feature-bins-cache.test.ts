import { expect, test } from '@jest/globals';
import type { Queryable } from '../../src/postgres/statement.ts';
import type { Pipeline } from '../../src/postgres/pipeline.ts';
import { FeatureBinsCache } from '../../src/monitor/feature-bins.ts';

/** PostgreSQL's types, by what they are here. */
const [INT4, FLOAT8, TEXT, FLOAT8S, TEXTS] = [23, 701, 25, 1022, 1009];
const TYPES = {
  set_id: INT4,
  feature: INT4,
  name: TEXT,
  kind: TEXT,
  low: FLOAT8,
  high: FLOAT8,
  edges: FLOAT8S,
  categories: TEXTS,
  others: TEXTS,
};

type Bins = { kind: string; low?: number; high?: number; edges?: number[]; categories?: string[]; others?: string[] };

/** How often bins were read that have so many features of a kind, when each of twenty versions was scored twice. */
async function reads(features: number, bins: Bins): Promise<number> {
  let count = 0;
  const query = (pipeline: Pipeline): Pipeline => {
    count += 1;
    pipeline.handleRowDescription({
      fields: Object.entries(TYPES).map(([name, dataTypeID]) => ({ name, dataTypeID })),
    });
    for (let feature = 1; feature <= features; feature += 1) {
      const row: Record<string, unknown> = { set_id: 1, feature, name: 'x', ...bins };
      pipeline.handleDataRow({ fields: Object.keys(TYPES).map((name) => asText(row[name])) });
    }
    pipeline.handleCommandComplete();
    pipeline.handleReadyForQuery();
    return pipeline;
  };
  const cache = new FeatureBinsCache();
  for (let turn = 0; turn < 2; turn += 1)
    for (let version = 0; version < 20; version += 1) await cache.get({ query } as unknown as Queryable, version, 1);
  return count;
}

function asText(value: unknown): string | null {
  if (value === undefined) return null;
  if (Array.isArray(value)) return `{${value.map((item) => JSON.stringify(item)).join()}}`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `category ${n}`);

test('bins are kept as long as they take little memory, and a category takes some', async () => {
  expect(await reads(20, { kind: 'number', low: 0, high: 2, edges: [1] })).toBe(20);
  expect(await reads(20, { kind: 'category', categories: names(50), others: [] })).toBe(20);
  expect(await reads(20, { kind: 'category', categories: names(50), others: names(1000) })).toBe(40);
});
