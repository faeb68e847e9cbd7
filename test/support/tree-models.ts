import type { Signature } from '../../src/inference/signature.ts';
import { classic, DataType, onnxModel, tensorValue } from './onnx-builder.ts';

export const features = ['a', 'b', 'c'];

type Shape = { mode?: string; missing?: number; thresholds?: number[] };

/** Two trees of three tests and four leaves each. */
export function treeNodes({ mode = 'BRANCH_LEQ', missing = 0, thresholds = [0.1, -2.5, 3, 0.1, 7, 16777216] }: Shape) {
  const each = [0, 1].flatMap((tree) => [0, 1, 2, 3, 4, 5, 6].map((number) => ({ tree, number, inner: number < 3 })));
  return {
    nodes_treeids: each.map(({ tree }) => tree),
    nodes_nodeids: each.map(({ number }) => number),
    nodes_modes: each.map(({ inner }) => (inner ? mode : 'LEAF')),
    nodes_featureids: each.map(({ tree, number, inner }) => (inner ? (tree + number) % 3 : 0)),
    nodes_values: each.map(({ tree, number, inner }) => (inner ? (thresholds[tree * 3 + number] ?? 0) : 0)),
    nodes_truenodeids: each.map(({ number, inner }) => (inner ? 2 * number + 1 : 0)),
    nodes_falsenodeids: each.map(({ number, inner }) => (inner ? 2 * number + 2 : 0)),
    nodes_missing_value_tracks_true: each.map(({ inner }) => (inner ? missing : 0)),
  };
}

/** A test of a column, with what is below it; or the weight of a leaf. */
export type Nested = TestOf | number;
type TestOf = { column: number; threshold: number; mode?: string; missing?: number; passed: Nested; failed: Nested };

/** Trees of any shape, for a regression with one target. */
export function nestedTrees(trees: readonly Nested[]) {
  const rows = trees.flatMap((root, tree) => numbered(root).map((node) => ({ tree, ...node })));
  const leaves = rows.filter(({ weight }) => weight !== undefined);
  return {
    nodes_treeids: rows.map(({ tree }) => tree),
    nodes_nodeids: rows.map(({ number }) => number),
    nodes_modes: rows.map(({ test }) => (test === undefined ? 'LEAF' : (test.mode ?? 'BRANCH_LEQ'))),
    nodes_featureids: rows.map(({ test }) => test?.column ?? 0),
    nodes_values: rows.map(({ test }) => test?.threshold ?? 0),
    nodes_truenodeids: rows.map(({ passed }) => passed),
    nodes_falsenodeids: rows.map(({ failed }) => failed),
    nodes_missing_value_tracks_true: rows.map(({ test }) => test?.missing ?? 0),
    target_treeids: leaves.map(({ tree }) => tree),
    target_nodeids: leaves.map(({ number }) => number),
    target_ids: leaves.map(() => 0),
    target_weights: leaves.map(({ weight }) => weight ?? 0),
  };
}

type Numbered = { number: number; passed: number; failed: number; test?: TestOf; weight?: number };

/** The nodes of a tree, each before those below it, which are numbered from `number` on. */
function numbered(node: Nested, number = 0): Numbered[] {
  if (typeof node === 'number') return [{ number, passed: 0, failed: 0, weight: node }];
  const left = numbered(node.passed, number + 1);
  const right = numbered(node.failed, number + 1 + left.length);
  return [{ number, passed: number + 1, failed: number + 1 + left.length, test: node }, ...left, ...right];
}

/** What trees of all sizes have in common. */
export type FullTrees = {
  trees?: number;
  modes?: readonly string[];
  missing?: boolean;
  thresholds?: readonly number[];
  scale?: number;
  /** Over how many powers of ten the trees are spread. */
  spread?: number;
};

/** Full trees of five levels, 31 tests each: the same at every run, with thresholds that many of them share. */
export function fullTrees({
  trees = 40,
  modes = ['BRANCH_LEQ'],
  missing = false,
  thresholds,
  scale = 1,
  spread = 1,
}: FullTrees = {}): Nested[] {
  let state = 7;
  const next = (below: number): number => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  const grown = (levels: number, size: number): Nested =>
    levels === 0
      ? (next(2001) - 1000) * 0.0137 * size
      : {
          column: next(3),
          threshold: thresholds?.[next(thresholds.length)] ?? (next(101) - 50) * 0.1,
          mode: modes[next(modes.length)] ?? 'BRANCH_LEQ',
          missing: missing ? next(2) : 0,
          passed: grown(levels - 1, size),
          failed: grown(levels - 1, size),
        };
  return Array.from({ length: trees }, (_, tree) => grown(5, scale * 10 ** -(tree % spread)));
}

/** A weight for each of the given targets in every leaf. */
export function weights(of: 'class' | 'target', targets: number[], sign = 1) {
  const leaves = [0, 1].flatMap((tree) =>
    [3, 4, 5, 6].flatMap((number) => targets.map((target) => ({ tree, number, target }))),
  );
  return {
    [`${of}_treeids`]: leaves.map(({ tree }) => tree),
    [`${of}_nodeids`]: leaves.map(({ number }) => number),
    [`${of}_ids`]: leaves.map(({ target }) => target),
    [`${of}_weights`]: leaves.map(
      ({ tree, number, target }) => (0.07 * number + 0.05 * target) * (tree === 1 ? sign : 1),
    ),
  };
}

export const regressor = (attributes: object) =>
  onnxModel({ nodes: [classic('TreeEnsembleRegressor', ['X'], ['y'], { n_targets: 1, ...attributes })] });

export const classifier = (labels: number, attributes: object, inputs = [tensorValue('X', [null, 3])]) =>
  onnxModel({
    inputs,
    nodes: [
      classic('TreeEnsembleClassifier', ['X'], ['label', 'probabilities'], {
        classlabels_int64s: Array.from({ length: labels }, (_, index) => index),
        ...attributes,
      }),
    ],
    outputs: [tensorValue('label', [null], DataType.INT64), tensorValue('probabilities', [null, labels])],
  });

/** As a probe would settle it, were these numbers probabilities. */
export function signatureOf(classes: number): Signature {
  const classLabels = ['p', 'q', 'r'].slice(0, classes);
  return {
    inputs: [{ name: 'X', type: 'float32', width: 3, shape: [null, 3] }],
    features: features.map((name, position) => ({
      name,
      input: 'X',
      position,
      type: 'float32',
      width: 1,
      nulls: 'nan',
    })),
    outputs: { probabilities: { name: 'probabilities', width: classes } },
    classLabels,
    batch: null,
    ...(classes === 2 ? { task: 'binary', positiveClass: 'q', threshold: 0.5 } : { task: 'multiclass' }),
  };
}

/** A regression of the same three columns. */
export const regressionSignature: Signature = {
  ...signatureOf(0),
  task: 'regression',
  outputs: { value: { name: 'y' } },
};
