import { describe, expect, test } from '@jest/globals';
import type { Predictions } from '../../src/model/predictions.ts';
import type { Signature } from '../../src/model/signature.ts';
import { compileNative } from '../../src/native/compile.ts';
import { differences } from '../../src/native/differences.ts';
import type { NativeAnswer } from '../../src/native/differences.ts';
import { nextFloat, previousFloat } from '../../src/lib/float32.ts';
import { proofRows } from '../../src/native/proof-rows.ts';
import { checkModel } from '../../src/probe/check-model.ts';
import { deployOptions, goldenBytes, goldenModels } from '../support/golden-models.ts';

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
