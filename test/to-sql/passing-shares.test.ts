import { describe, expect, test } from '@jest/globals';
import { passingShares } from '../../src/to-sql/trees/tree-term.ts';
import type { Branch, Mode, Tree } from '../../src/to-sql/trees/read-trees.ts';

const leaf: Tree = { weights: new Map() };

function branch(
  threshold: number,
  { mode = 'BRANCH_LEQ', column = 0, passed = leaf, failed = leaf }: Part = {},
): Branch {
  return { mode, column, threshold, missingPasses: false, passed, failed };
}

type Part = { readonly mode?: Mode; readonly column?: number; readonly passed?: Tree; readonly failed?: Tree };

/** Trees whose thresholds say that values lie from -2 to 2, evenly around 0. */
const spread: readonly Tree[] = [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2].map((threshold) => branch(threshold));

function shareOf(tested: Branch, within: Tree = tested): number | undefined {
  return passingShares([...spread, within]).get(tested);
}

describe('the share of rows that pass a test is estimated from where the thresholds of its column lie', () => {
  test.each(['BRANCH_LEQ', 'BRANCH_LT'] as const)('few are below a low threshold: %s', (mode) => {
    expect(shareOf(branch(-1.9, { mode }))).toBeLessThan(0.2);
    expect(shareOf(branch(1.9, { mode }))).toBeGreaterThan(0.8);
  });

  test.each(['BRANCH_GTE', 'BRANCH_GT'] as const)('many are above a low threshold: %s', (mode) => {
    expect(shareOf(branch(-1.9, { mode }))).toBeGreaterThan(0.8);
  });

  test('what came to a branch by another test of the column lies on that side of it', () => {
    const tested = branch(-0.5);
    expect(shareOf(tested)).toBeLessThan(0.5);
    expect(shareOf(tested, branch(0, { passed: tested }))).toBeGreaterThan(0.5);
    const impossible = branch(-0.5);
    expect(shareOf(impossible, branch(0, { failed: impossible }))).toBeLessThanOrEqual(0);
  });

  test('a test of another column tells nothing', () => {
    const tested = branch(-0.5);
    const alone = shareOf(tested);
    expect(shareOf(tested, branch(3, { column: 1, passed: tested }))).toBe(alone);
  });

  test('few are equal to a number, and most are unequal', () => {
    expect(shareOf(branch(0, { mode: 'BRANCH_EQ' }))).toBe(0);
    expect(shareOf(branch(0, { mode: 'BRANCH_NEQ' }))).toBe(1);
  });

  test('infinite thresholds are passed by all or none, and say nothing of the values', () => {
    expect(shareOf(branch(Infinity))).toBe(1);
    expect(shareOf(branch(-Infinity))).toBe(0);
  });
});

test('nothing is estimated of a column whose thresholds are all the same', () => {
  const tested = branch(0.5, { column: 1 });
  expect(shareOf(tested)).toBeUndefined();
});
