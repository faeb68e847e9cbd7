import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { checkModel, type ProbeOptions } from '../../src/check/check-model.ts';

/** Real exports with the frameworks' own answers, of make_outputs.py. */
type Case = {
  options: { class_labels?: string[]; logits?: boolean };
  rows: Record<string, number | string>[];
};

const at = (name: string) => readFileSync(new URL(`../models/outputs/${name}`, import.meta.url));
const cases = JSON.parse(gunzipSync(at('outputs.json.gz')).toString()) as Record<string, Case>;

async function check(name: string, more: ProbeOptions = {}) {
  const { options, rows } = cases[name] ?? { options: {}, rows: [] };
  const { class_labels: classLabels, logits } = options;
  const { signature, expectation } = await checkModel(at(`${name}.onnx`), {
    classLabels,
    logits,
    ...more,
    expect: rows,
  });
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
