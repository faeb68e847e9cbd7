import { describe, expect, test } from '@jest/globals';
import { checkModel, type ProbeOptions } from '../../src/check/check-model.ts';
import { refuseUnsafe } from '../../src/onnx/refuse.ts';
import { normalise } from '../../src/onnx/normalise.ts';
import { withActivation } from '../../src/onnx/activation.ts';
import { classic, DataType, floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';

const features = ['a', 'b', 'c'];
const weights = (columns: number) =>
  floats('w', [3, columns], [1, -2, 0.5, 2, 0.25, -1, 3, -0.5, 1].slice(0, 3 * columns));

/** A network whose last layer is linear. */
const network = (columns: number, opset = 17) =>
  onnxModel({
    nodes: [node('MatMul', ['X', 'w'], ['y'])],
    outputs: [tensorValue('y', [null, columns])],
    tensors: [weights(columns)],
    opset,
  });

const logSoftmax = onnxModel({
  nodes: [node('MatMul', ['X', 'w'], ['l']), node('LogSoftmax', ['l'], ['y'], { axis: -1 })],
  outputs: [tensorValue('y', [null, 3])],
  tensors: [weights(3)],
});

/** As skl2onnx exports a LogisticRegression with raw_scores: -m and m. */
const rawScores = onnxModel({
  nodes: [
    classic('LinearClassifier', ['X'], ['label', 'p'], {
      classlabels_ints: [0, 1],
      coefficients: [-1, 2, -0.5, 1, -2, 0.5],
      intercepts: [-0.25, 0.25],
    }),
  ],
  outputs: [tensorValue('label', [null], DataType.INT64), tensorValue('p', [null, 2])],
});

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const row = { a: 0.5, b: 1, c: -0.25 };

const check = (bytes: Uint8Array, options: ProbeOptions) => checkModel(bytes, { features, logits: true, ...options });

describe('logits become probabilities', () => {
  test('by a sigmoid where there is one a row', async () => {
    const expected_score = sigmoid(0.5 - 2 - 0.125);
    const { signature, served, warnings } = await check(network(1), { expect: [{ ...row, expected_score }] });
    expect(signature).toMatchObject({
      task: 'binary',
      activation: 'sigmoid',
      classLabels: ['0', '1'],
      outputs: { probabilities: { name: 'y_probability', width: 1 } },
    });
    expect(served).not.toBeNull();
    expect(warnings).toEqual([expect.stringContaining('names no class labels')]);
  });

  test.each([9, 13, 17])('by a softmax where there are several, of opset %i, too', async (opset) => {
    const [a = 0, b = 0, c = 0] = [0.5 * 1 + 2 + -0.25 * 3, 0.5 * -2 + 0.25 + 0.125, 0.5 * 0.5 - 1 - 0.25].map(
      Math.exp,
    );
    const { signature } = await check(network(3, opset), {
      classLabels: ['x', 'y', 'z'],
      expect: [{ ...row, expected_probability_x: a / (a + b + c), expected_probability_z: c / (a + b + c) }],
    });
    expect(signature).toMatchObject({ task: 'multiclass', activation: 'softmax', classLabels: ['x', 'y', 'z'] });
  });

  test('the same where a log-softmax was there before', async () => {
    const { signature, warnings } = await check(logSoftmax, {});
    expect(signature).toMatchObject({ task: 'multiclass', activation: 'softmax', classLabels: ['0', '1', '2'] });
    expect(warnings).toHaveLength(1);
  });

  test('by a sigmoid where they are m and -m', async () => {
    const expected_score = sigmoid(0.5 - 2 - 0.125 + 0.25);
    const { signature } = await check(rawScores, { expect: [{ ...row, expected_score }] });
    expect(signature).toMatchObject({
      activation: 'sigmoid',
      outputs: { label: { name: 'label' }, probabilities: { name: 'p_probability' } },
    });
  });
});

describe('logits are refused', () => {
  test.each<[string, Uint8Array, ProbeOptions]>([
    ['of a log-softmax', logSoftmax, {}],
    ['of a log-softmax with labels', logSoftmax, { classLabels: ['x', 'y', 'z'] }],
    ['of a last linear layer with labels', network(3), { classLabels: ['x', 'y', 'z'] }],
  ])('%s without being told, with the remedy', async (_, bytes, options) => {
    await expect(check(bytes, { ...options, logits: undefined })).rejects.toMatchObject({
      code: 'model_output_not_probability',
      remedy: expect.stringContaining('logits => true'),
    });
  });

  test('of a regression', async () => {
    await expect(check(network(1), { task: 'regression' })).rejects.toMatchObject({ code: 'model_options_wrong' });
  });
});

test('an activation imports what it needs, and takes no name twice', () => {
  const model = normalise(
    onnxModel({
      nodes: [node('Identity', ['X'], ['y_probability']), node('Identity', ['y_probability'], ['y'])],
      outputs: [tensorValue('y', [null, 3], DataType.DOUBLE)],
    }),
  );
  const {
    model: { outline },
  } = withActivation(model, 'y', 'softmax');
  expect(outline.nodes.map(({ op, outputs }) => [op, outputs])).toContainEqual(['Softmax', ['y_probability_']]);
  expect(outline.outputs).toMatchObject([{ name: 'y_probability_', type: 'float64' }]);
  expect(() => refuseUnsafe(outline.bytes)).not.toThrow();
});

test('probabilities are no logits', async () => {
  const softmax = onnxModel({
    nodes: [node('MatMul', ['X', 'w'], ['l']), node('Softmax', ['l'], ['y'], { axis: -1 })],
    outputs: [tensorValue('y', [null, 3])],
    tensors: [weights(3)],
  });
  await expect(check(softmax, {})).rejects.toMatchObject({
    code: 'model_options_wrong',
    message: 'the model returns probabilities already',
  });
});
