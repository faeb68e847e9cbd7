import { describe, expect, test } from '@jest/globals';
import { renderNative } from '../../src/to-sql/render.ts';
import { cloneDatabase } from '../support/database.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import { features, nestedTrees, regressor, type Nested } from '../support/tree-models.ts';
import { compiled, firstDifference } from './compiled.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);

const MODES = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'];

/** Begins with a test of `a`, on one side of which comes one of `b`. */
function tree(scale: number, own: Partial<Exclude<Nested, number>> = {}): Nested {
  const below = { column: 1, threshold: -2.5, missing: 1, passed: 0.3 * scale, failed: -0.7 * scale };
  return { column: 0, threshold: 0.625, passed: below, failed: 0.11 * scale, ...own };
}

const ROWS = [Number.NaN, null, 0.625, 0.6250001, -0.625, Infinity, -Infinity].flatMap((a) =>
  [Number.NaN, null, -2.5, -2.4999998, 1].map((b) => ({ a, b, c: 1 })),
);

async function versionOf(trees: readonly Nested[]) {
  return await compiled(client, regressor(nestedTrees(trees)), { features, nulls: 'nan' });
}

/** How many tests of a column against a threshold the function of some trees has. */
async function testsOf(trees: readonly Nested[]): Promise<number> {
  const { program } = await versionOf(trees);
  return renderNative(program, 'score', (index) => `$${index + 1}`).body.split('<=').length - 1;
}

describe('trees that begin with the same test', () => {
  test('are asked it once, and what comes the same below it too', async () => {
    const another: Nested = { column: 2, threshold: 7, passed: 1, failed: 2 };
    expect(await testsOf([tree(1), tree(2), tree(3, { failed: another })])).toBe(3);
  });

  test.each(MODES)('say together what ONNX Runtime adds up: %s', async (mode) => {
    const trees = [tree(1, { mode }), tree(-2.3, { mode }), tree(0.7, { mode, passed: 0.5 }), 0.25];
    expect(await firstDifference(await versionOf(trees), ROWS)).toBeUndefined();
  });

  test('are told apart where they differ in where missing values go, or in the kind of test', async () => {
    const trees = [
      ...[0, 1].map((missing) => tree(1 + missing, { missing })),
      ...MODES.map((mode, index) => tree(0.1 * index, { mode })),
    ];
    expect(await firstDifference(await versionOf(trees), ROWS)).toBeUndefined();
  });

  test('are two, whose sum is rounded to float32 once', async () => {
    const trees: Nested[] = [0.1, 0.7].map((weight) => tree(1, { passed: weight, failed: -weight / 3 }));
    expect(await firstDifference(await versionOf(trees), ROWS)).toBeUndefined();
  });

  test('come to nothing together where one takes back what the other says', async () => {
    const trees = [tree(1), tree(-1), { column: 2, threshold: 1, passed: 0.5, failed: 0.25 }];
    expect(await firstDifference(await versionOf(trees), ROWS)).toBeUndefined();
    expect(await testsOf(trees)).toBe(1);
  });

  test('may be deep', async () => {
    const deep = (weight: number): Nested =>
      Array.from({ length: 25 }).reduce<Nested>(
        (passed, _, level) => ({ column: level % 3, threshold: level, passed, failed: weight * level }),
        weight,
      );
    const rows = Array.from({ length: 30 }, (_, level) => ({ a: level - 1, b: level - 1, c: level - 1 }));
    expect(await firstDifference(await versionOf([deep(0.1), deep(0.3), deep(-0.7)]), rows)).toBeUndefined();
  });
});
