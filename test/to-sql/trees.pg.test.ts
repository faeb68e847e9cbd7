import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import { classic, DataType, doubles, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { classifier, features, regressor, signatureOf, treeNodes, weights } from '../support/tree-models.ts';
import { compiled, compiledAs, firstDifference } from './compiled.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);

const MODES = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'];

/** Of each test another mode; every second lets what is missing pass. */
const mixed = (() => {
  const nodes = treeNodes({});
  const tests = nodes.nodes_modes.flatMap((mode, index) => (mode === 'LEAF' ? [] : [index]));
  return {
    ...nodes,
    nodes_modes: nodes.nodes_modes.map((mode, index) => MODES[tests.indexOf(index)] ?? mode),
    nodes_missing_value_tracks_true: nodes.nodes_modes.map((_, index) => Number(tests.indexOf(index) % 2 === 1)),
  };
})();

describe('a tree tests its columns as ONNX Runtime does, at every threshold, for NaN and for infinities', () => {
  test.each(MODES.flatMap((mode) => [0, 1].map((missing) => [mode, missing] as const)))(
    '%s, where missing values pass: %d',
    async (mode, missing) => {
      const bytes = regressor({ ...treeNodes({ mode, missing }), ...weights('target', [0]) });
      expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }))).toBeUndefined();
    },
  );

  test.each(MODES)('%s against an infinite threshold', async (mode) => {
    const thresholds = [Infinity, -Infinity, 0, -Infinity, Infinity, 1];
    const bytes = regressor({ ...treeNodes({ mode, thresholds, missing: 1 }), ...weights('target', [0]) });
    expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }))).toBeUndefined();
  });

  test('every mode in one tree, where some let missing values pass', async () => {
    const bytes = regressor({ ...mixed, ...weights('target', [0]) });
    expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }))).toBeUndefined();
  });

  test.each([
    ['int64', DataType.INT64],
    ['int32', DataType.INT32],
    ['float64', DataType.DOUBLE],
  ])('columns of %s', async (_, type) => {
    const attributes = { ...treeNodes({}), ...weights('class', [0], -1), post_transform: 'LOGISTIC' };
    const bytes = classifier(2, attributes, [tensorValue('X', [null, 3], type)]);
    expect(await firstDifference(await compiled(client, bytes, { features }))).toBeUndefined();
  });

  test('columns that were scaled before', async () => {
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
    const rows = Array.from({ length: 3000 }, (_, i) => ({
      a: (0.1 / 3 + 0.1) * (1 + (i - 1500) * 2 ** -24),
      b: 28 + i * 2 ** -19,
      c: -7,
    }));
    expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }), rows)).toBeUndefined();
  });
});

test('trees behind a scaler of double precision, which is rounded once', async () => {
  const thresholds = [0.1, -0.14, 1.89, 3, 7, -2.5].map(Math.fround);
  const bytes = onnxModel({
    inputs: [tensorValue('X', [null, 3], DataType.DOUBLE)],
    nodes: [
      classic('Scaler', ['X'], ['scaled'], { offset: [0.3], scale: [0.7] }),
      classic('TreeEnsembleRegressor', ['scaled'], ['y'], {
        n_targets: 1,
        ...treeNodes({ thresholds }),
        ...weights('target', [0]),
      }),
    ],
  });
  const rows = Array.from({ length: 3000 }, (_, i) => {
    const [a, b, c] = [0, 1, 2].map((column) => (thresholds[(i + column) % 6] ?? 0) / 0.7 + 0.3 + (i - 1500) * 2e-11);
    return { a, b, c };
  });
  expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }), rows)).toBeUndefined();
});

test('trees behind sums, products and quotients of two columns', async () => {
  for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Sum']) {
    const bytes = onnxModel({
      nodes: [
        node('Gather', ['X', 'order'], ['A'], { axis: 1 }),
        node(op, op === 'Sum' ? ['X', 'A', 'X'] : ['X', 'A'], ['Z']),
        classic('TreeEnsembleRegressor', ['Z'], ['y'], {
          n_targets: 1,
          ...treeNodes({ thresholds: [0.1, 0.3, -0.2, 0.7, 1.1, 0.5] }),
          ...weights('target', [0]),
        }),
      ],
      tensors: [integers('order', [3], [1, 2, 0])],
    });
    // One decimal each, whose sums and products are near the thresholds, on either side.
    const tenth = (i: number) => Math.fround((((i * 7919) % 41) - 20) / 10) || 0.1;
    const rows = Array.from({ length: 3000 }, (_, i) => ({ a: tenth(i), b: tenth(i + 13), c: tenth(i * 3 + 1) }));
    expect([op, await firstDifference(await compiled(client, bytes, { features }), rows)]).toEqual([op, undefined]);
  }
});

describe('trees are put together as ONNX Runtime does it', () => {
  test.each(['SUM', 'AVERAGE', 'MIN', 'MAX'])('%s, with a base value', async (aggregate_function) => {
    const bytes = regressor({
      ...treeNodes({}),
      ...weights('target', [0], -1),
      aggregate_function,
      base_values: [0.4],
    });
    expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }))).toBeUndefined();
  });

  test.each(['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'])('%s of one target', async (post_transform) => {
    const bytes = regressor({ ...treeNodes({}), ...weights('target', [0]), post_transform });
    expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }))).toBeUndefined();
  });

  const TRANSFORMS = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'];
  const WAYS = ['SUM', 'AVERAGE', 'MIN', 'MAX'].flatMap((way) => TRANSFORMS.map((transform) => [way, transform]));
  test.each(WAYS)('%s and then %s, of three targets', async (aggregate_function, post_transform) => {
    for (const targets of [
      [0, 1, 2],
      [0, 2],
    ]) {
      const own = { ...mixed, ...weights('target', targets, -1), aggregate_function, post_transform };
      const nodes = [
        classic('TreeEnsembleRegressor', ['X'], ['probabilities'], {
          n_targets: 3,
          base_values: [0.1, 0, -0.1],
          ...(own as typeof mixed),
        }),
      ];
      const bytes = onnxModel({ nodes, outputs: [tensorValue('probabilities', [null, 3])] });
      expect(await firstDifference(await compiledAs(client, bytes, signatureOf(3)))).toBeUndefined();
    }
  });

  test('numbers of double precision', async () => {
    const { nodes_values, ...nodes } = treeNodes({ thresholds: [0.1, -2.5, 3, 0.1 + 1e-12, 7, 16777217] });
    const { class_weights = [], ...leaves } = weights('class', [0], -1);
    const bytes = classifier(
      2,
      {
        ...nodes,
        ...leaves,
        nodes_values_as_tensor: doubles('thresholds', nodes_values),
        class_weights_as_tensor: doubles('weights', class_weights),
        post_transform: 'LOGISTIC',
      },
      [tensorValue('X', [null, 3], DataType.DOUBLE)],
    );
    expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }))).toBeUndefined();
  });
});

describe('classes are told apart as ONNX Runtime does it', () => {
  const TRANSFORMS = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO'];
  const BASES = [[], [0.3], [0.3, -0.2]];
  const cases = TRANSFORMS.flatMap((post_transform) => BASES.map((base_values) => ({ post_transform, base_values })));
  const withBases = ({ base_values, ...rest }: (typeof cases)[0]) =>
    base_values.length > 0 ? { ...rest, base_values } : rest;

  test.each(cases)('two by weights of one that are all positive: $post_transform, $base_values', async (own) => {
    const bytes = classifier(2, { ...treeNodes({}), ...weights('class', [0]), ...withBases(own) });
    expect(await firstDifference(await compiledAs(client, bytes, signatureOf(2)))).toBeUndefined();
  });

  test.each(cases)('two by weights of one that are mixed: $post_transform, $base_values', async (own) => {
    const bytes = classifier(2, { ...treeNodes({}), ...weights('class', [0], -1), ...withBases(own) });
    expect(await firstDifference(await compiledAs(client, bytes, signatureOf(2)))).toBeUndefined();
  });

  test.each(cases)('two by weights of the second: $post_transform, $base_values', async (own) => {
    const bytes = classifier(2, { ...treeNodes({}), ...weights('class', [1], -1), ...withBases(own) });
    expect(await firstDifference(await compiledAs(client, bytes, signatureOf(2)))).toBeUndefined();
  });

  test.each(cases)('two by weights of both: $post_transform, $base_values', async (own) => {
    const bytes = classifier(2, { ...treeNodes({}), ...weights('class', [0, 1], -1), ...withBases(own) });
    expect(await firstDifference(await compiledAs(client, bytes, signatureOf(2)))).toBeUndefined();
  });

  test.each([...TRANSFORMS, 'PROBIT'])('three, of which some have no weights: %s', async (post_transform) => {
    for (const [classes, base_values] of [
      [[0, 1, 2], []],
      [
        [0, 2],
        [0.1, -0.2, 0.3],
      ],
      [[0], [0.1, -0.2, 0.3]],
    ] as const) {
      const own = { ...treeNodes({}), ...weights('class', [...classes], -1), post_transform };
      const bytes = classifier(3, base_values.length > 0 ? { ...own, base_values } : own);
      expect(await firstDifference(await compiledAs(client, bytes, signatureOf(3)))).toBeUndefined();
    }
  });

  test('two by weights of both: PROBIT', async () => {
    const bytes = classifier(2, { ...treeNodes({}), ...weights('class', [0, 1]), post_transform: 'PROBIT' });
    expect(await firstDifference(await compiledAs(client, bytes, signatureOf(2)))).toBeUndefined();
  });

  test('by labels alone, where the graph returns no probabilities', async () => {
    const bytes = onnxModel({
      nodes: [
        classic('TreeEnsembleClassifier', ['X'], ['raw', 'probabilities'], {
          classlabels_strings: ['no', "it's"],
          ...treeNodes({}),
          ...weights('class', [0], -1),
        }),
        node('Identity', ['raw'], ['label']),
      ],
      outputs: [tensorValue('label', [null], DataType.STRING)],
    });
    expect(await firstDifference(await compiled(client, bytes, { features, nulls: 'nan' }))).toBeUndefined();
  });
});
