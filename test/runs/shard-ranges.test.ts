import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shardRanges } from '../../src/runs/shards.ts';

describe('the shards of a source', () => {
  test('cover every block once, and the last stays open for blocks that come later', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 64 }),
        (longest, relations, scorers) => {
          const ranges = shardRanges(longest, longest * relations, scorers);
          expect(ranges[0]?.from).toBe(0);
          expect(ranges.slice(1).every(({ from }, index) => from === ranges[index]?.to)).toBe(true);
          expect(ranges.at(-1)?.to).toBeNull();
          expect(ranges.slice(0, -1).every(({ from, to }) => to !== null && to > from)).toBe(true);
        },
      ),
    );
  });

  test('get smaller towards the end, so that all scorers end together', () => {
    const sizes = shardRanges(17_000, 17_000, 2).map(({ from, to }) => (to ?? 17_000) - from);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(sizes.at(-1)).toBeLessThanOrEqual(256);
  });

  test('are one for an empty source', () => {
    expect(shardRanges(0, 0, 2)).toEqual([{ from: 0, to: null }]);
  });

  test('are never larger than 64 MiB', () => {
    const ranges = shardRanges(1_000_000, 1_000_000, 2);
    expect(Math.max(...ranges.slice(0, -1).map(({ from, to }) => (to ?? 0) - from))).toBeLessThanOrEqual(8192);
  });
});
