import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { checkModel } from '../../src/check/check-model.ts';
import { probeBytes } from '../support/model-file.ts';
import { floats, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import type { JsonRow } from '../../src/inference/json-rows.ts';

/** Of make_optimised.py: what ONNX Runtime says of each row by itself. */
type Optimised = { name: string; operators: string[]; rows: JsonRow[] };
const at = (path: string): URL => new URL(`../models/${path}`, import.meta.url);
const optimised = JSON.parse(readFileSync(at('optimised.json'), 'utf8')) as Optimised[];
const bytesOf = (name: string): Buffer => readFileSync(at(`optimised/${name}.onnx`));

describe('a model that ONNX Runtime quantised or optimised', () => {
  test.each(optimised.map((model) => [model.name, model] as const))(
    '%s answers as it does there',
    async (name, model) => {
      const { expectation } = await checkModel(bytesOf(name), { expect: model.rows });
      expect(expectation).toMatchObject({ rows: model.rows.length });
    },
  );
});

describe('a model that is quantised dynamically', () => {
  test('is run row by row, and says so', async () => {
    const { signature, warnings } = await checkModel(bytesOf('network_dynamic'), {});
    expect(signature.batch).toBe(1);
    expect(warnings).toEqual([expect.stringMatching(/DynamicQuantizeLinear.*row by row/)]);
  });

  test.each([null, 1, 4])('of a first dimension of %j, too', async (rows) => {
    const bytes = onnxModel({
      nodes: [
        node('DynamicQuantizeLinear', ['X'], ['q', 'scale', 'zero']),
        node('DequantizeLinear', ['q', 'scale', 'zero'], ['r']),
        node('ReduceSum', ['r', 'axis'], ['y'], { keepdims: 1 }),
      ],
      inputs: [tensorValue('X', [rows, 3])],
      outputs: [tensorValue('y', [rows, 1])],
      tensors: [integers('axis', [1], [1])],
    });
    const expected = [1, 100].map((a) => ({ a, b: 0, c: 0, expected_value: a }));
    const { signature } = await checkModel(bytes, { features: ['a', 'b', 'c'], expect: expected });
    expect(signature.batch).toBe(1);
  });
});

test('a kernel that dies of its shapes kills the check alone', async () => {
  const bytes = onnxModel({
    nodes: [
      node('Unsqueeze', ['X', 'axis'], ['three']),
      node('SkipSimplifiedLayerNormalization', ['three', 'nothing', 'gamma'], ['n'], {}, 'com.microsoft'),
      node('ReduceSum', ['n'], ['y'], { keepdims: 0 }),
    ],
    tensors: [integers('axis', [1], [1]), floats('nothing', [0, 1, 3], []), floats('gamma', [3], [1, 1, 1])],
  });
  await expect(probeBytes(bytes, { features: ['a', 'b', 'c'] })).rejects.toMatchObject({ code: 'model_check_crashed' });
});
