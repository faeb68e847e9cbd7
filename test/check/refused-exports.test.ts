import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { checkModel, type ProbeOptions } from '../../src/check/check-model.ts';
import { floatTrees } from '../../src/onnx/float-trees.ts';
import { readOutline } from '../../src/onnx/outline.ts';
import { classic, DataType, doubles, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { treeNodes, weights } from '../support/tree-models.ts';
import { probeBytes } from '../support/model-file.ts';

/** Real exports, of make_refused.py. */
const bytesOf = (name: string) => readFileSync(new URL(`../models/refused/${name}.onnx`, import.meta.url));

const features = ['a', 'b', 'c'];
const check = (name: string, options: ProbeOptions = {}) => checkModel(bytesOf(name), { features, ...options });

describe('a model without probabilities', () => {
  test.each([
    ['kmeans', {}, 'distance'],
    ['one_vs_one', { classLabels: ['0', '1', '2'] }, 'margin'],
    ['sgd_hinge', {}, 'margin'],
  ])('%s with %j is ready, and says so', async (name, options, unit) => {
    const { signature } = await check(name, options);
    expect(signature.outputs).toMatchObject({ label: expect.anything(), margins: { unit } });
    expect(signature.outputs.probabilities).toBeUndefined();
  });

  test.each([
    ['kmeans_labels', ['0', '1', '2']],
    ['one_vs_one_labels', ['0', '1', '2']],
    ['sgd_hinge_labels', ['0', '1']],
  ])('%s, its labels alone, is ready', async (name, classLabels) => {
    const { signature } = await check(name, { classLabels });
    expect(signature).toMatchObject({ classLabels, outputs: { label: expect.anything() } });
    expect(signature.outputs.probabilities).toBeUndefined();
  });

  test('calibrated, has probabilities', async () => {
    const { signature } = await check('sgd_hinge_calibrated');
    expect(signature.outputs.probabilities).toMatchObject({ width: 2 });
  });
});

test('labels that lie across the rows are left out, as they follow from the probabilities', async () => {
  const { signature, warnings } = await check('quadratic');
  expect(signature).toMatchObject({
    task: 'binary',
    classLabels: ['0', '1'],
    outputs: { probabilities: { width: 2 } },
  });
  expect(signature.outputs.label).toBeUndefined();
  expect(warnings).toEqual(["output 'label' has no value for each row, and is not read"]);
});

test('a model that divides a whole number by zero is sent to another imputer', async () => {
  await expect(probeBytes(bytesOf('knn_imputer'), { features })).rejects.toMatchObject({
    code: 'model_check_crashed',
    message: expect.stringContaining('SIGFPE'),
    remedy: expect.stringContaining('SimpleImputer'),
  });
});

describe('classes that were False and True', () => {
  const row = { a: 2, b: 0, c: 0 };

  test('are 0 and 1 in the file, and the remedy says so', async () => {
    await expect(check('boolean_classes', { classLabels: ['False', 'True'] })).rejects.toMatchObject({
      code: 'model_class_labels_wrong',
      remedy: expect.stringMatching(/Leave class_labels out: False is 0 and True is 1/),
    });
  });

  test('are expected as the framework writes them', async () => {
    const { reference } = await checkModel(bytesOf('boolean_classes'), { features }, () => Promise.resolve([row]));
    const expected = { expected_label: 'True', expected_probability_True: reference?.score[0] };
    expect((await check('boolean_classes', { expect: [{ ...row, ...expected }] })).expectation?.rows).toBe(1);
    const wrong = [{ ...row, expected_label: false }];
    await expect(check('boolean_classes', { expect: wrong })).rejects.toMatchObject({
      code: 'model_expectation_failed',
    });
  });
});

test('a column whose name skl2onnx rewrote is found', async () => {
  const row = { 'Weight in (lbs)': 0, 'Miles per gallon': 0, doors: 0, expected_label: '1' };
  expect((await checkModel(bytesOf('renamed_columns'), { expect: [row] })).expectation?.rows).toBe(1);
  const names = ['Weight in (lbs)', 'Miles per gallon', 'doors'];
  const { signature } = await checkModel(bytesOf('renamed_columns'), { features: names, expect: [row] });
  expect(signature.features.map(({ name }) => name)).toEqual(names);
});

/** Rows that float64 sends to another leaf than float32. */
const DECIMALS = [
  { a: -0.1, b: 1.4, c: -0.4, expected_probability_1: 0.2380952380952381 },
  { a: 0.2, b: 0, c: 0.6, expected_probability_1: 0.6111111111111112 },
  { a: 0.6, b: 2.4, c: 0.6, expected_probability_1: 0.3333333333333333 },
];

describe('trees over float64', () => {
  test.each(['float64_forest', 'float64_boosting'])(
    'of scikit-learn, which compare float32, are run so: %s',
    async (name) => {
      const { signature, warnings } = await check(name);
      expect(signature.inputs).toMatchObject([{ type: 'float32' }]);
      expect(warnings).toEqual([]);
    },
  );

  test.each(DECIMALS)('compare %j as scikit-learn does', async (row) => {
    expect((await check('float64_decimals', { expect: [row] })).expectation?.rows).toBe(1);
  });

  test('say as much as their framework', async () => {
    const rows = [
      { a: -0.3, b: 0, c: 1 },
      { a: 0.1, b: 2, c: -1 },
    ];
    const expected = rows.map((row, index) => ({ ...row, expected_value: [-0.21007089, 1.18854342][index] }));
    expect((await check('float64_forest', { expect: expected })).expectation?.rows).toBe(2);
  });

  test('whose thresholds are stored as float64 keep their inputs', () => {
    const { nodes_values: values, ...tests } = treeNodes({});
    const asTensor = doubles('thresholds', values);
    const inputs = [tensorValue('X', [null, 3], DataType.DOUBLE)];
    const edits = ({ attributes, classics }: { attributes: object; classics: number }) => {
      const trees = classic('TreeEnsembleRegressor', ['X'], ['y'], {
        n_targets: 1,
        ...attributes,
        ...weights('target', [0]),
      });
      const bytes = onnxModel({ inputs, nodes: [trees], classics, producer: 'skl2onnx' });
      return floatTrees(readOutline(bytes)).length;
    };
    expect(edits({ attributes: { ...tests, nodes_values: values }, classics: 1 })).toBeGreaterThan(0);
    expect(edits({ attributes: { ...tests, nodes_values_as_tensor: asTensor }, classics: 3 })).toBe(0);
  });

  test('behind a scaler of float64 are refused, with the remedy', async () => {
    await expect(check('float64_scaled')).rejects.toMatchObject({
      code: 'model_load_failed',
      remedy: expect.stringContaining('float32 inputs'),
    });
  });
});
