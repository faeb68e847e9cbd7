import { describe, expect, test } from '@jest/globals';
import type { NodeProto, TensorProto } from 'onnx-buf';
import type { Predictions } from '../../src/inference/predictions.ts';
import type { Feature, Signature } from '../../src/inference/signature.ts';
import { compileNative } from '../../src/to-sql/compile.ts';
import { differences, type NativeAnswer } from '../../src/to-sql/differences.ts';
import { nextFloat, previousFloat } from '../../src/lib/float32.ts';
import { proofRows } from '../../src/to-sql/proof-rows.ts';
import { checkModel } from '../../src/check/check-model.ts';
import { deployOptions, goldenBytes, goldenModels } from '../support/golden-models.ts';
import { classic, DataType, floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { regressionSignature, treeNodes, weights } from '../support/tree-models.ts';

async function rowsFor(name: string) {
  const [model] = goldenModels.filter((golden) => golden.name === name);
  if (model === undefined) throw new Error(`there is no model ${name}`);
  const { served, signature } = await checkModel(goldenBytes(model), deployOptions(model.deploy));
  const program = compileNative(served ?? goldenBytes(model), signature);
  return { rows: proofRows(program, signature), program, signature };
}

describe('the rows of a proof', () => {
  test('hit every threshold of a tree ensemble, and the float32 on either side', async () => {
    const { rows, program, signature } = await rowsFor('hist_gradient_boosting');
    signature.features.forEach(({ name }, index) => {
      const values = new Set(rows.map((row) => row[name]));
      for (const threshold of program.critical.of(index).map(Number)) {
        expect(
          [previousFloat(threshold), threshold, nextFloat(threshold)].filter((value) => !values.has(value)),
        ).toEqual([]);
      }
    });
  });

  test('hold known categories, one that is not, and what the version does with a missing value', async () => {
    const { rows, signature } = await rowsFor('arrival_delay');
    const origins = new Set(rows.map(({ origin }) => origin));
    expect(['EWR', 'JFK', 'LGA', 'pgscore: no category'].filter((value) => !origins.has(value))).toEqual([]);
    for (const { name, nulls } of signature.features) {
      expect(rows.some((row) => row[name] === null)).toBe(nulls !== 'error');
    }
  });

  test('are the same at each call, and at most 2,000', async () => {
    const { rows, program, signature } = await rowsFor('bench_trees');
    expect(proofRows(program, signature)).toEqual(rows);
    expect(rows.length).toBeLessThanOrEqual(2000);
  });
});

const THRESHOLDS = [0.1, -2.5, 3, 0.1, 7, 16777216].map(Math.fround);

/** The values of a proof in column a, of a model that tests what some nodes make Z of the columns X. */
function provenBehind(nodes: NodeProto[], type: Feature['type'], tensors: TensorProto[] = []): number[] {
  const tests = { ...treeNodes({ thresholds: THRESHOLDS }), nodes_featureids: Array.from({ length: 14 }, () => 0) };
  const trees = classic('TreeEnsembleRegressor', ['Z'], ['y'], { n_targets: 1, ...tests, ...weights('target', [0]) });
  const elements = { float32: DataType.FLOAT, float64: DataType.DOUBLE, int64: DataType.INT64 };
  const inputs = [tensorValue('X', [null, 3], elements[type as keyof typeof elements])];
  const signature: Signature = {
    ...regressionSignature,
    inputs: [{ name: 'X', type, width: 3, shape: [null, 3] }],
    features: regressionSignature.features.map((feature) => ({ ...feature, type, nulls: 'error' as const })),
  };
  const program = compileNative(onnxModel({ nodes: [...nodes, trees], inputs, tensors }), signature);
  return proofRows(program, signature).map(({ a }) => Number(a));
}

const constants = [floats('offset', [1], [0.3]), floats('factor', [1], [-0.7])];
const BEHIND: [string, Feature['type'], NodeProto[], (value: number) => number][] = [
  ['a scaler', 'float32', [classic('Scaler', ['X'], ['Z'], { offset: [0.3], scale: [0.7] })], (x) => (x - 0.3) * 0.7],
  [
    'an imputer',
    'float32',
    [classic('Imputer', ['X'], ['Z'], { imputed_value_floats: [1], replaced_value_float: 0 })],
    (x) => x || 1,
  ],
  ['a cast of doubles', 'float64', [node('Cast', ['X'], ['Z'], { to: DataType.FLOAT })], Math.fround],
  ['a cast of integers', 'int64', [node('Cast', ['X'], ['Z'], { to: DataType.FLOAT })], Math.fround],
  [
    'arithmetic with constants',
    'float32',
    [node('Sub', ['X', 'offset'], ['s']), node('Div', ['s', 'factor'], ['t']), node('Mul', ['factor', 't'], ['Z'])],
    (x) => x - 0.3,
  ],
  [
    'arithmetic that falls',
    'float32',
    [node('Add', ['X', 'offset'], ['s']), node('Mul', ['s', 'factor'], ['Z'])],
    (x) => (x + 0.3) * -0.7,
  ],
];

describe('the rows of a proof hit every threshold', () => {
  test.each(BEHIND)('behind %s', (_, type, nodes, made) => {
    const tested = provenBehind(nodes, type, constants).map(made).filter(Number.isFinite);
    for (const threshold of THRESHOLDS) {
      const apart = (side: number): number =>
        Math.min(...tested.map((value) => (value - threshold) * side).filter((distance) => distance >= 0));
      // An integer is as near as an integer can be, and a float32 as near as rounding leaves it.
      const near = type === 'int64' ? 1 : Math.max(1, Math.abs(threshold)) * 1e-6;
      expect(Math.max(apart(1), apart(-1))).toBeLessThanOrEqual(near);
    }
  });

  test('of a column that has more of them than there are rows otherwise', () => {
    const trees = Array.from({ length: 5000 }, (_, tree) => tree);
    const stumps = classic('TreeEnsembleRegressor', ['X'], ['y'], {
      n_targets: 1,
      nodes_treeids: trees.flatMap((tree) => [tree, tree, tree]),
      nodes_nodeids: trees.flatMap(() => [0, 1, 2]),
      nodes_modes: trees.flatMap(() => ['BRANCH_LEQ', 'LEAF', 'LEAF']),
      nodes_featureids: trees.flatMap(() => [1, 0, 0]),
      nodes_values: trees.flatMap((tree) => [tree, 0, 0]),
      nodes_truenodeids: trees.flatMap(() => [1, 0, 0]),
      nodes_falsenodeids: trees.flatMap(() => [2, 0, 0]),
      target_treeids: trees,
      target_nodeids: trees.map(() => 1),
      target_ids: trees.map(() => 0),
      target_weights: trees.map(() => 1),
    });
    const program = compileNative(onnxModel({ nodes: [stumps] }), regressionSignature);
    const values = new Set(proofRows(program, regressionSignature).map(({ b }) => b));
    expect(trees.filter((threshold) => !values.has(threshold))).toEqual([]);
  });
});

const binary: Signature = {
  task: 'binary',
  inputs: [],
  features: [],
  outputs: { probabilities: { name: 'p', width: 2 } },
  classLabels: ['no', 'yes'],
  positiveClass: 'yes',
  threshold: 0.5,
  batch: null,
};

function predictions(scores: number[]): Predictions {
  return {
    rows: scores.length,
    score: Float64Array.from(scores),
    label: Int32Array.from(scores, (score) => Number(score >= 0.5)),
    probabilities: Float64Array.from(scores.flatMap((score) => [1 - score, score])),
    errors: new Map(),
  };
}

function answer(score: number, label = Number(score >= 0.5)): NativeAnswer {
  return { score, label, probabilities: [1 - score, score] };
}

const nothing: NativeAnswer = { score: null, label: null, probabilities: null };

describe('a difference', () => {
  test.each<[string, number[], NativeAnswer[], string | undefined]>([
    ['none within the tolerance', [0.25, 0.75], [answer(0.25 + 9e-6), answer(0.75)], undefined],
    ['past the tolerance', [0.25], [answer(0.25 + 2e-5)], 'row 1: the score is 0.25002, ONNX Runtime says 0.25'],
    ['a score where there is none', [0.1], [nothing], 'row 1: the score is NULL, ONNX Runtime says 0.1'],
    [
      'in a probability',
      [0.1, 0.2],
      [answer(0.1), { ...answer(0.2), probabilities: [0.7, 0.2] }],
      'row 2: probability 0 is 0.7, ONNX Runtime says 0.8',
    ],
    ['in the label', [0.1], [answer(0.1, 1)], `row 1: the label is 'yes', ONNX Runtime says 'no'`],
    ['none in the label at the threshold', [0.499999], [answer(0.500001)], undefined],
    ['in the number of rows', [0.1], [], '0 answers for 1 rows'],
  ])('%s', (_, scores, native, found) => {
    expect(differences(binary, predictions(scores), native)).toBe(found);
  });

  test('is a score of a row that ONNX Runtime could not score', () => {
    const reference = { ...predictions([0.1]), errors: new Map([[0, { code: 'non_finite_output', message: '' }]]) };
    expect(differences(binary, reference as Predictions, [answer(0.1)])).toBe(
      'row 1: the score is 0.1, ONNX Runtime says nothing',
    );
    expect(differences(binary, reference as Predictions, [nothing])).toBeUndefined();
  });

  test('of a regression is measured by the reference, and by the median value near zero', () => {
    const signature: Signature = { ...binary, task: 'regression', outputs: { value: { name: 'y' } }, classLabels: [] };
    const values = [1000, -1000, 0.5, 1e6];
    const reference: Predictions = { ...predictions(values), label: null, probabilities: null };
    const off = (by: number[]) => values.map((value, row) => ({ ...nothing, score: value + (by[row] ?? 0) }));
    expect(differences(signature, reference, off([0.009, 0.009, 0.009, 9]))).toBeUndefined();
    expect(differences(signature, reference, off([0, 0, 0.011]))).toMatch(/^row 3: the score is 0.511/);
    expect(differences(signature, reference, off([0, 0, 0, 11]))).toMatch(/^row 4/);
  });
});
