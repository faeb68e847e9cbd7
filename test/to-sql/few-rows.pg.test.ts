import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { oneIn } from '../support/night.ts';
import { classic, DataType, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import {
  classifier,
  features,
  fullTrees,
  nestedTrees,
  regressor,
  type FullTrees,
  type Nested,
} from '../support/tree-models.ts';
import { compiled, firstDifference, reference } from './compiled.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);

const ORDERED = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT'];

async function versionOf(trees: readonly Nested[], own: object = {}) {
  return await compiled(client, regressor({ ...nestedTrees(trees), ...own }), { features, nulls: 'nan' });
}

describe('a large forest has a form for few rows, which says the same to the last bit:', () => {
  test.each<[string, FullTrees, object?]>([
    ...oneIn(4, ORDERED).map((mode): [string, FullTrees] => [mode, { modes: [mode] }]),
    ['tests of every order, of which some let missing values pass', { modes: ORDERED, missing: true }],
    [
      'infinite thresholds',
      { modes: ['BRANCH_LEQ', 'BRANCH_GT'], thresholds: [Infinity, -Infinity, 0, -0, 1e-45, 1e37] },
    ],
    ['weights that doubles do not add up exactly', { spread: 8, trees: 60 }],
    ['weights near the largest', { scale: 1e35 }],
    ['an average, with a base value', {}, { aggregate_function: 'AVERAGE', base_values: [0.3] }],
  ])('%s', async (_, own, attributes = {}) => {
    const version = await versionOf(fullTrees(own), attributes);
    expect(version.hasFew).toBe(true);
    expect(await firstDifference(version)).toBeUndefined();
  });

  test.each([
    ['double precision', DataType.DOUBLE],
    ['whole numbers', DataType.INT64],
  ])('columns of %s', async (_, type) => {
    const attributes = asClassifier(nestedTrees(fullTrees({ modes: ORDERED, scale: 0.01 })));
    const bytes = classifier(2, attributes, [tensorValue('X', [null, 3], type)]);
    const version = await compiled(client, bytes, { features });
    expect([version.hasFew, await firstDifference(version)]).toEqual([true, undefined]);
  });

  test('columns that were imputed and scaled before', async () => {
    const nodes = [
      classic('Imputer', ['X'], ['filled'], { imputed_value_floats: [1, -2, 0.5], replaced_value_float: Number.NaN }),
      classic('Scaler', ['filled'], ['Z'], { offset: [0.1, 3, -7], scale: [3, 0.1, 1.7] }),
      classic('TreeEnsembleRegressor', ['Z'], ['y'], { n_targets: 1, ...nestedTrees(fullTrees()) }),
    ];
    const version = await compiled(client, onnxModel({ nodes }), { features, nulls: 'nan' });
    expect([version.hasFew, await firstDifference(version)]).toEqual([true, undefined]);
  });

  test('raises for a column that few rows come to, as the other form does', async () => {
    const rare: Nested = {
      column: 0,
      threshold: -1e9,
      passed: { column: 2, threshold: 1, passed: 1, failed: 2 },
      failed: 0,
    };
    const ofTwo = fullTrees().map(withoutColumnC);
    for (const [type, c] of [
      [DataType.INT64, null],
      [DataType.DOUBLE, null],
      [DataType.FLOAT, 1e300],
    ] as const) {
      const attributes = asClassifier(nestedTrees([...ofTwo, rare]));
      const version = await compiled(client, classifier(2, attributes, [tensorValue('X', [null, 3], type)]), {
        features,
      });
      const rows = [{ a: 1, b: 1, c }];
      expect(version.hasFew).toBe(true);
      await expect(version.answers(rows)).rejects.toThrow(/^feature c /);
      await expect(version.fewAnswers(rows)).rejects.toThrow(/^feature c /);
    }
  });
});

function withoutColumnC(tree: Nested): Nested {
  if (typeof tree === 'number') return tree;
  const [passed, failed] = [withoutColumnC(tree.passed), withoutColumnC(tree.failed)];
  return { ...tree, column: tree.column % 2, passed, failed };
}

function asClassifier(attributes: object): object {
  const renamed = Object.entries(attributes).map(
    ([name, values]) => [name.replace('target', 'class'), values] as const,
  );
  return { ...Object.fromEntries(renamed), post_transform: 'LOGISTIC' };
}

describe('there is none', () => {
  test.each<[string, Nested[], object?]>([
    ['of a forest that is ready as soon', fullTrees({ trees: 20 })],
    ['of one that tests for equality', fullTrees({ modes: ['BRANCH_LEQ', 'BRANCH_EQ'] })],
    ['of the largest of its trees', fullTrees(), { aggregate_function: 'MAX' }],
    ['of trees of which a row comes to every second test', Array.from({ length: 1200 }, (_, at) => wide(1, at))],
    ['of two trees, whose sum is rounded to float32', [wide(600), wide(600)]],
  ])('%s', async (_, trees, attributes = {}) => {
    const version = await versionOf(trees, attributes);
    expect([version.hasFew, await firstDifference(version)]).toEqual([false, undefined]);
  });
});

/** So many tests of one column, each halving what is left. */
function wide(tests: number, from = 0): Nested {
  if (tests === 0) return from * 0.01;
  const below = Math.floor((tests - 1) / 2);
  const threshold = from + below;
  return { column: 0, threshold, passed: wide(below, from), failed: wide(tests - 1 - below, threshold + 1) };
}

describe('weights far larger than others are not what those are rounded by:', () => {
  const huge: Nested = { column: 0, threshold: -4, passed: 0, failed: 1e15 };
  const ofBoth = fullTrees().map((large, index) => {
    const small: Nested = { column: 1, threshold: 1, passed: 0.0137 * (index + 1), failed: -0.37 };
    return { column: 2, threshold: 4, passed: small, failed: scaled(large, 1e9) };
  });
  test.each<[string, Nested[], Record<string, number>]>([
    ['one leaf', [...fullTrees(), huge], { a: -4.5, b: 0.5, c: 0.5 }],
    ['those of one side of each tree', ofBoth, { a: 0.5, b: 0.5, c: 0.5 }],
    ['of three trees', ofBoth.slice(0, 3), { a: 0.5, b: 0.5, c: 0.5 }],
  ])('%s', async (_, trees, row) => {
    const version = await versionOf(trees);
    const [native] = await version.answers([row]);
    const online = await reference(version, [row]);
    expect(version.hasFew).toBe(false);
    expect(native?.score).toBeCloseTo(online.score[0] ?? 0, 4);
  });

  test('a tree whose weights are small beside those of all others keeps no forest from its second form', async () => {
    const version = await versionOf([...fullTrees(), scaled(fullTrees({ trees: 1 })[0] ?? 0, 1e-9)]);
    expect([version.hasFew, await firstDifference(version)]).toEqual([true, undefined]);
  });
});

function scaled(tree: Nested, by: number): Nested {
  if (typeof tree === 'number') return tree * by;
  return { ...tree, passed: scaled(tree.passed, by), failed: scaled(tree.failed, by) };
}
