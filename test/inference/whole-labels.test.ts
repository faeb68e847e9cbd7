import { expect, test } from '@jest/globals';
import { outputReader } from '../../src/inference/outputs.ts';
import { emptyPredictions } from '../../src/inference/predictions.ts';
import type { Signature } from '../../src/inference/signature.ts';

const LABELS = ['-1', '0', '4294967296', '9007199254740993', '-9223372036854775808'];

test('labels of 64 bits are told apart, whatever their size', () => {
  const signature: Signature = {
    task: 'multiclass',
    inputs: [],
    features: [],
    outputs: { label: { name: 'label', type: 'int64' } },
    classLabels: LABELS,
    batch: null,
  };
  const data = BigInt64Array.from([...LABELS, '9007199254740992', '1', '-4294967296'], BigInt);
  const predictions = emptyPredictions(signature, data.length, new Map());
  const output = { name: 'label', type: 'int64', dims: [data.length], data };
  outputReader(signature)([output], 0, data.length, predictions);
  expect([...predictions.label!]).toEqual([0, 1, 2, 3, 4, -1, -1, -1]);
  expect([...predictions.errors.keys()]).toEqual([5, 6, 7]);
});
