import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { JsonRow } from '../../src/inference/json-rows.ts';
import { checkModel } from '../../src/check/check-model.ts';
import { goldenBytes, goldenModels } from '../support/golden-models.ts';
import { node, onnxModel } from '../support/onnx-builder.ts';
import { readOutline } from '../../src/onnx/outline.ts';
import { knownDifferences } from '../../src/check/known-differences.ts';

const FOLDER = new URL('../models/', import.meta.url).pathname;

/** Models of make_differing.py, with rows and what their framework says of them. */
const differing = JSON.parse(readFileSync(`${FOLDER}differing.json`, 'utf8')) as { name: string; rows: JsonRow[] }[];

const SHOWN: Readonly<Record<string, RegExp>> = {
  catboost_poisson: /logarithm/,
  catboost_tweedie: /logarithm/,
  catboost_ova: /MultiClassOneVsAll/,
  xgboost_targets: /several targets/,
  lightgbm_forest: /100 trees/,
  neighbours_classes: /weights='distance'/,
  neighbours_value: /weights='distance'/,
  isotonic: /isotonic/,
};

describe.each(differing)('the export of $name', ({ name, rows }) => {
  const bytes = readFileSync(`${FOLDER}differing/${name}.onnx`);
  const features = ['a', 'b', 'c'];

  test('says something else than the framework, as expect finds, and why where the file shows it', async () => {
    await expect(checkModel(bytes, { features, expect: rows })).rejects.toMatchObject({
      code: 'model_expectation_failed',
      remedy: expect.stringMatching(SHOWN[name] ?? /order of the features/),
    });
  });

  test('has a warning where the file shows it, which names expect', async () => {
    const { warnings } = await checkModel(bytes, { features });
    const wanted = SHOWN[name];
    expect(warnings).toEqual(wanted === undefined ? [] : [expect.stringMatching(wanted)]);
    if (wanted !== undefined) expect(warnings[0]).toContain('(expect)');
  });
});

test('trees behind operators of float64 have a warning', () => {
  const bytes = readFileSync(`${FOLDER}refused/float64_scaled.onnx`);
  expect(knownDifferences(readOutline(bytes))).toEqual([expect.stringMatching(/float32/)]);
});

describe('texts that skl2onnx', () => {
  const shown = (...nodes: Parameters<typeof node>[]) =>
    knownDifferences(readOutline(onnxModel({ nodes: nodes.map((parts) => node(...parts)), producer: 'skl2onnx' })));

  test.each([
    ['[a-zA-Z0-9_]+', [expect.stringMatching(/tokenexp/)]],
    [String.raw`[\p{L}\p{N}_]{2,}`, []],
  ])('splits by %s', (tokenexp, warnings) => {
    const attributes = { mark: 0, mincharnum: 1, pad_value: '#', tokenexp };
    expect(shown(['Tokenizer', ['X'], ['y'], attributes, 'com.microsoft'])).toEqual(warnings);
  });

  test('counts by the logarithm of n + 1', () => {
    const counted = shown(['TfIdfVectorizer', ['X'], ['n']], ['Add', ['n', 'one'], ['more']], ['Log', ['more'], ['y']]);
    expect(counted).toEqual([expect.stringMatching(/sublinear_tf/)]);
  });

  test('counts as they are, before an addition and a logarithm of another kind, have no warning', () => {
    expect(shown(['TfIdfVectorizer', ['X'], ['n']], ['Add', ['m', 'one'], ['k']], ['Log', ['k'], ['y']])).toEqual([]);
  });
});

test.each(goldenModels)('$name, which does not differ, has no such warning', (model) => {
  expect(knownDifferences(readOutline(goldenBytes(model)))).toEqual([]);
});
