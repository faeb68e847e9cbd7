import { describe, expect, test } from '@jest/globals';
import { nextFloat, previousFloat } from '../../../src/lib/float32.ts';
import { mulberry32 } from '../../../src/lib/random.ts';
import type { Signature } from '../../../src/inference/signature.ts';
import { classic, onnxModel } from '../../support/onnx-builder.ts';
import {
  classifier,
  regressionSignature,
  regressor,
  signatureOf,
  treeNodes,
  weights,
} from '../../support/tree-models.ts';
import { allRowsOf, firstDifference, runRows, walked } from './walked.ts';

const THRESHOLDS = [0.1, -2.5, 3, 7, 16777216].map(Math.fround);
const AROUND = THRESHOLDS.flatMap((threshold) => [previousFloat(threshold), threshold, nextFloat(threshold)]);
const ROWS = allRowsOf([...AROUND, 0, -0, 1e-40, Infinity, -Infinity, Number.NaN]);

const WALKED_MODES = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT'];

describe('a row goes down the tree as in ONNX Runtime, at every threshold, with NaN and infinities', () => {
  test.each(WALKED_MODES.flatMap((mode) => [0, 1].map((missing) => ({ mode, missing }))))(
    '$mode, NaN passing: $missing',
    async (shape) => {
      const bytes = regressor({ ...treeNodes(shape), ...weights('target', [0]) });
      expect(await firstDifference(bytes, regressionSignature, ROWS)).toBeUndefined();
    },
  );

  test('with an infinite threshold', async () => {
    const thresholds = [Infinity, 0, Infinity, 1, Infinity, 2];
    const bytes = regressor({ ...treeNodes({ mode: 'BRANCH_LT', thresholds, missing: 1 }), ...weights('target', [0]) });
    expect(await firstDifference(bytes, regressionSignature, ROWS)).toBeUndefined();
  });

  test('where a tree is one leaf', async () => {
    const bytes = regressor({ ...nodesOf([['LEAF', 0, 0, 0, 0]]), ...leaf([0], 1.5) });
    expect(await firstDifference(bytes, regressionSignature, [[1, 2, 3]])).toBeUndefined();
  });

  test('where a tree is as deep as it has tests, so that rows arrive one after the other', async () => {
    const depth = 100;
    const nodes = Array.from({ length: depth }, (_, index): Node[] => [
      ['BRANCH_LEQ', index % 3, index, 2 * index + 1, 2 * index + 2],
      ['LEAF', 0, 0, 0, 0],
    ]).flat();
    const order = nodes.map((node, index) => ({ node, number: index % 2 === 0 ? index : index }));
    const bytes = regressor({
      ...nodesOf([...order.map(({ node }) => node), ['LEAF', 0, 0, 0, 0]]),
      target_treeids: Array.from({ length: depth + 1 }, () => 0),
      target_nodeids: [...Array.from({ length: depth }, (_, index) => 2 * index + 1), 2 * depth],
      target_ids: Array.from({ length: depth + 1 }, () => 0),
      target_weights: Array.from({ length: depth + 1 }, (_, index) => index),
    });
    const rows = Array.from({ length: 300 }, (_, index) => [index / 2, index / 3, 50]);
    expect(await firstDifference(bytes, regressionSignature, rows)).toBeUndefined();
  });
});

describe('the trees of a row are put together as in ONNX Runtime', () => {
  test.each([
    ['SUM', []],
    ['SUM', [0.4]],
    ['AVERAGE', []],
    ['AVERAGE', [0.4]],
  ] as const)('%s of a regression with base values %j', async (aggregate_function, base_values) => {
    const bases = base_values.length > 0 ? { base_values: [...base_values] } : {};
    const bytes = regressor({ ...treeNodes({}), ...weights('target', [0], -1), aggregate_function, ...bases });
    expect(await firstDifference(bytes, regressionSignature, ROWS)).toBeUndefined();
  });

  const TRANSFORMS = ['NONE', 'LOGISTIC', 'SOFTMAX'];

  test.each(['NONE', 'LOGISTIC'].flatMap((transform) => [[], [0.3]].map((bases) => ({ transform, bases }))))(
    'two classes by the weights of one, of either sign: $transform, $bases',
    async ({ transform, bases }) => {
      for (const sign of [1, -1]) {
        const own = bases.length > 0 ? { base_values: bases } : {};
        const bytes = classifier(2, {
          ...treeNodes({}),
          ...weights('class', [0], sign),
          post_transform: transform,
          ...own,
        });
        expect(await firstDifference(bytes, signatureOf(2), ROWS)).toBeUndefined();
      }
    },
  );

  test.each(TRANSFORMS)('two classes by the weights of both: %s', async (post_transform) => {
    const bytes = classifier(2, { ...treeNodes({}), ...weights('class', [0, 1], -1), post_transform });
    expect(await firstDifference(bytes, signatureOf(2), ROWS)).toBeUndefined();
  });

  test.each(TRANSFORMS.flatMap((transform) => [[], [0.3, -0.2, 0.1]].map((bases) => ({ transform, bases }))))(
    'three classes: $transform, $bases',
    async ({ transform, bases }) => {
      const own = bases.length > 0 ? { base_values: bases } : {};
      const bytes = classifier(3, {
        ...treeNodes({}),
        ...weights('class', [0, 1, 2], -1),
        post_transform: transform,
        ...own,
      });
      expect(await firstDifference(bytes, signatureOf(3), ROWS)).toBeUndefined();
    },
  );
});

describe('models share the memory that they are walked in', () => {
  const of = (thresholds: number[]) => regressor({ ...treeNodes({ thresholds }), ...weights('target', [0]) });
  const small = of([0.1, -2.5, 3, 0.1, 7, 16]);
  const other = of([-1, 2, 2, 2, 5, 6]);

  test('in turns, each says what it says alone', async () => {
    const [first, second] = [walked(small, regressionSignature), walked(other, regressionSignature)];
    const rows = ROWS.slice(0, 50);
    const alone = [await runRows(first!, regressionSignature, rows), await runRows(second!, regressionSignature, rows)];
    for (let turn = 0; turn < 3; turn += 1) {
      expect((await runRows(first!, regressionSignature, rows)).data).toEqual(alone[0]!.data);
      expect((await runRows(second!, regressionSignature, rows)).data).toEqual(alone[1]!.data);
    }
    expect(alone[0]!.data).not.toEqual(alone[1]!.data);
  });

  test('any number of rows comes out whole', async () => {
    const random = mulberry32(3);
    const trees = walked(small, regressionSignature)!;
    const all = Array.from({ length: 1500 }, () => [random() * 8, random() * 8, random() * 8]);
    const expected = (await runRows(trees, regressionSignature, all)).data;
    for (const count of [0, 1, 7, 8, 9, 511, 512, 513, 1500]) {
      const { data, dims } = await runRows(trees, regressionSignature, all.slice(0, count));
      expect(dims).toEqual([count, 1]);
      expect(data).toEqual(expected.slice(0, count));
    }
  });
});

describe('what is not walked here is left to ONNX Runtime', () => {
  const regression = (attributes: object) => walked(regressor({ ...attributes }), regressionSignature);

  test.each(['BRANCH_EQ', 'BRANCH_NEQ'])('tests %s', (mode) => {
    expect(regression({ ...treeNodes({ mode }), ...weights('target', [0]) })).toBeUndefined();
  });

  test.each(['MIN', 'MAX'])('%s of trees', (aggregate_function) => {
    expect(regression({ ...treeNodes({}), ...weights('target', [0]), aggregate_function })).toBeUndefined();
  });

  test('a threshold that no number is below, and one that is none', () => {
    for (const threshold of [-Infinity, Number.NaN]) {
      const thresholds = [threshold, 1, 1, 1, 1, 1];
      expect(regression({ ...treeNodes({ thresholds }), ...weights('target', [0]) })).toBeUndefined();
    }
  });

  test('a test of a column that the input does not have', () => {
    const nodes = nodesOf([
      ['BRANCH_LEQ', 3, 0, 1, 2],
      ['LEAF', 0, 0, 0, 0],
      ['LEAF', 0, 0, 0, 0],
    ]);
    expect(regression({ ...nodes, ...leaf([1, 2], 1) })).toBeUndefined();
  });

  test('a node that two others lead to, and one that leads back', () => {
    for (const back of [0, 1]) {
      const nodes = nodesOf([
        ['BRANCH_LEQ', 0, 0, 1, 2],
        ['BRANCH_LEQ', 0, 1, back, 2],
        ['LEAF', 0, 0, 0, 0],
      ]);
      expect(regression({ ...nodes, ...leaf([2], 1) })).toBeUndefined();
    }
  });

  test('a node that leads nowhere', () => {
    expect(regression({ ...nodesOf([['BRANCH_LEQ', 0, 0, 1, 2]]), ...leaf([], 1) })).toBeUndefined();
  });

  const STUMP = nodesOf([
    ['BRANCH_LEQ', 0, 0, 1, 2],
    ['LEAF', 0, 0, 0, 0],
    ['LEAF', 0, 0.75, 0, 0],
  ]);

  test.each([
    ['a leaf without a weight', [1]],
    ['two weights of a leaf for the same sum', [1, 2, 2]],
    ['a weight of a test', [0, 1, 2]],
  ])('%s, of which ONNX Runtime makes something of its own', (_, nodes) => {
    expect(regression({ ...STUMP, ...leaf([1, 2], 1) })).toBeDefined();
    expect(regression({ ...STUMP, ...leaf(nodes, 1) })).toBeUndefined();
  });

  test('two classes, where one leaf says nothing of the second, and another does so twice', () => {
    const said = { class_treeids: [0, 0, 0, 0], class_nodeids: [1, 2, 1, 1], class_ids: [0, 0, 1, 1] };
    const bytes = classifier(2, { ...STUMP, ...said, class_weights: [0.1, 0.2, 0.3, 0.4] });
    expect(walked(bytes, signatureOf(2))).toBeUndefined();
  });

  test('nodes that no test leads to', () => {
    const nodes = nodesOf([
      ['BRANCH_LEQ', 0, 0, 0, 1],
      ['LEAF', 0, 0, 0, 0],
      ['LEAF', 0, 0, 0, 0],
    ]);
    expect(regression({ ...nodes, ...leaf([1, 2], 1) })).toBeUndefined();
  });

  test('rows of very many columns, or very many classes', () => {
    const wide: Signature = {
      ...regressionSignature,
      inputs: [{ name: 'X', type: 'float32', width: 1_000_000, shape: [null, 1_000_000] }],
    };
    expect(walked(regressor({ ...STUMP, ...leaf([1, 2], 1) }), wide)).toBeUndefined();
    const said = { class_treeids: [0, 0, 0], class_nodeids: [1, 2, 2], class_ids: [0, 1, 200_000] };
    const many = classifier(200_001, { ...STUMP, ...said, class_weights: [1, 1, 1] });
    expect(walked(many, signatureOf(3))).toBeUndefined();
  });

  test('an input that is computed with first', () => {
    const bytes = onnxModel({
      nodes: [
        classic('Scaler', ['X'], ['scaled'], { offset: [0.1, 3, -7], scale: [3, 0.1, 1.7] }),
        classic('TreeEnsembleRegressor', ['scaled'], ['y'], {
          n_targets: 1,
          ...treeNodes({}),
          ...weights('target', [0]),
        }),
      ],
    });
    expect(walked(bytes, regressionSignature)).toBeUndefined();
  });
});

type Node = readonly [mode: string, column: number, threshold: number, passed: number, failed: number];

/** One tree. */
function nodesOf(nodes: readonly Node[]) {
  return {
    nodes_treeids: nodes.map(() => 0),
    nodes_nodeids: nodes.map((_, index) => index),
    nodes_modes: nodes.map(([mode]) => mode),
    nodes_featureids: nodes.map(([, column]) => column),
    nodes_values: nodes.map(([, , threshold]) => threshold),
    nodes_truenodeids: nodes.map(([, , , passed]) => passed),
    nodes_falsenodeids: nodes.map(([, , , , failed]) => failed),
  };
}

function leaf(nodes: readonly number[], weight: number) {
  return {
    target_treeids: nodes.map(() => 0),
    target_nodeids: [...nodes],
    target_ids: nodes.map(() => 0),
    target_weights: nodes.map(() => weight),
  };
}
