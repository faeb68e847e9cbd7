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
