import { describe, expect, test } from '@jest/globals';
import { checkModel, type ProbeOptions } from '../../src/check/check-model.ts';
import { outputCase } from '../models/output-kinds.ts';

async function check(name: string, more: ProbeOptions = {}) {
  const { options, rows, bytes } = outputCase(name);
  const { class_labels: classLabels, logits } = options;
  const { signature, expectation } = await checkModel(bytes, { classLabels, logits, ...more, expect: rows });
  return { ...signature, compared: expectation?.rows };
}

describe('logits say on each row what their framework says as probabilities', () => {
  test.each([
    ['torch_logit', 'sigmoid', 'binary'],
    ['torch_logits_2', 'softmax', 'binary'],
    ['torch_logits_3', 'softmax', 'multiclass'],
    ['torch_log_softmax', 'softmax', 'multiclass'],
    ['raw_logistic_2', 'sigmoid', 'binary'],
    ['raw_logistic_3', 'softmax', 'multiclass'],
  ])('%s, by %s', async (name, activation, task) => {
    expect(await check(name)).toMatchObject({ activation, task, compared: 60 });
  });
});

describe('a classifier without probabilities gives its labels and decision_function() on each row', () => {
  const names = ['svc', 'svc_raw', 'nu_svc', 'linear_svc', 'sgd_hinge', 'perceptron', 'ridge', 'one_vs_one'];

  test.each(names)('%s of two classes', async (name) => {
    expect(await check(`${name}_2`)).toMatchObject({
      task: 'binary',
      outputs: { margins: { unit: 'margin' } },
      compared: 60,
    });
  });

  test.each(names)('%s of three classes', async (name) => {
    expect(await check(`${name}_3`)).toMatchObject({
      task: 'multiclass',
      outputs: { margins: { unit: 'margin', width: 3 } },
      compared: 60,
    });
  });

  test('whose other class is positive', async () => {
    const { options, rows, bytes } = outputCase('svc_2');
    const expect_ = rows.map(({ expected_score: score, ...row }) => ({ ...row, expected_score: -Number(score) }));
    const { signature } = await checkModel(bytes, { ...options, positiveClass: '0', expect: expect_ });
    expect(signature.positiveClass).toBe('0');
  });

  test('but labels alone where its numbers are of pairs of classes', async () => {
    const { outputs, compared } = await check('svc_pairs');
    expect({ outputs, compared }).toEqual({ outputs: { label: { name: 'label', type: 'string' } }, compared: 60 });
  });

  test('and refuses a threshold, which is a probability', async () => {
    await expect(check('svc_2', { threshold: 0.3 })).rejects.toMatchObject({ code: 'model_options_wrong' });
  });
});

describe('a model that learned from no labels is found by itself, and says what scikit-learn says', () => {
  test.each([
    ['kmeans', 'distance', 3],
    ['mini_batch_kmeans', 'distance', 3],
    ['scaled_kmeans', 'distance', 4],
    ['mixture', 'share', 3],
    ['bayesian_mixture', 'share', 3],
  ])('%s: label and %s', async (name, unit, clusters) => {
    const found = { kind: 'clustering', task: 'multiclass', outputs: { margins: { unit, width: clusters } } };
    expect(await check(name)).toMatchObject({ ...found, compared: 60 });
    expect(await check(name, { task: 'clustering' })).toMatchObject(found);
  });

  test.each(['isolation_forest', 'isolation_forest_share', 'one_class_svm', 'local_outlier_factor'])(
    '%s: the score is larger for what is odd',
    async (name) => {
      const found = { kind: 'anomaly', task: 'binary', positiveClass: '-1', classLabels: ['1', '-1'] };
      expect(await check(name)).toMatchObject({ ...found, compared: 60 });
      expect(await check(name, { task: 'anomaly' })).toMatchObject(found);
    },
  );

  test('and is refused as what it is not', async () => {
    await expect(check('kmeans', { task: 'anomaly' })).rejects.toMatchObject({ code: 'model_outputs_unclear' });
    await expect(check('one_class_svm', { task: 'clustering' })).rejects.toMatchObject({
      code: 'model_outputs_unclear',
    });
  });
});
