import { expect, test } from '@jest/globals';
import { loadModelSession } from '../../src/inference/load-model-session.ts';
import type { Signature } from '../../src/inference/signature.ts';
import { classic, DataType, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';

const regression: Signature = {
  inputs: [{ name: 'X', type: 'float32', width: 1, shape: [null, 1] }],
  features: [{ name: 'x', input: 'X', position: 0, type: 'float32', width: 1, nulls: 'nan' }],
  batch: null,
  task: 'regression',
  outputs: { value: { name: 'y' } },
  classLabels: [],
};
const inputs = [tensorValue('X', [null, 1])];
const outputs = [tensorValue('y', [null, 1])];

test('a model that can not be loaded is refused with the reason of ONNX Runtime, without its source files', async () => {
  const dangling = onnxModel({ nodes: [node('Relu', ['nowhere'], ['y'])], inputs, outputs });
  const failure = await loadModelSession(dangling, regression).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'model_load_failed', message: expect.stringContaining("'nowhere'") });
  expect((failure as Error).message).not.toMatch(/\.cc|ONNXRuntimeError/);
});

test('a model that can not be loaded for want of a float64 operator says to export with float32', async () => {
  const double = onnxModel({
    nodes: [classic('Imputer', ['X'], ['y'], { imputed_value_floats: [0], replaced_value_float: Number.NaN })],
    inputs: [tensorValue('X', [null, 1], DataType.DOUBLE)],
    outputs: [tensorValue('y', [null, 1], DataType.DOUBLE)],
  });
  await expect(loadModelSession(double, regression)).rejects.toMatchObject({
    code: 'model_load_failed',
    remedy: expect.stringContaining('float32'),
  });
});

test('a model that can not be loaded for want of a bfloat16 operator says to export its weights with float32, too', async () => {
  const halved = onnxModel({
    nodes: [
      node('Cast', ['X'], ['narrow'], { to: DataType.BFLOAT16 }),
      node('Relu', ['narrow'], ['rectified']),
      node('Cast', ['rectified'], ['y'], { to: DataType.FLOAT }),
    ],
    inputs,
    outputs,
  });
  await expect(loadModelSession(halved, regression)).rejects.toMatchObject({
    code: 'model_load_failed',
    remedy: expect.stringContaining('model.float()'),
  });
});

test('a classifier of trees without classes, as CatBoost writes several targets, says to train a model for each', async () => {
  const tree = {
    nodes_treeids: [0, 0, 0],
    nodes_nodeids: [0, 1, 2],
    nodes_featureids: [0, 0, 0],
    nodes_values: [1, 0, 0],
    nodes_modes: ['BRANCH_LEQ', 'LEAF', 'LEAF'],
    nodes_truenodeids: [1, 0, 0],
    nodes_falsenodeids: [2, 0, 0],
    classlabels_strings: [],
    class_treeids: [0, 0],
    class_nodeids: [1, 2],
    class_ids: [0, 0],
    class_weights: [1, 2],
  };
  const trees = onnxModel({
    classics: 2,
    nodes: [classic('TreeEnsembleClassifier', ['X'], ['label', 'y'], tree)],
    inputs,
    outputs,
  });
  await expect(loadModelSession(trees, regression)).rejects.toMatchObject({
    code: 'model_load_failed',
    message:
      'ONNX Runtime can not load the model: its trees name no classes, as where CatBoost has several values a row',
    remedy: expect.stringContaining('one model for each value'),
  });
});
