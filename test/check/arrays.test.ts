import { describe, expect, test } from '@jest/globals';
import { checkModel } from '../../src/check/check-model.ts';
import { ModelSession } from '../../src/inference/session.ts';
import type { Signature } from '../../src/inference/signature.ts';
import { arrayBytes, arrayModels, featuresOf, type ArrayModel } from '../support/array-models.ts';
import { deployOptions } from '../support/golden-models.ts';

const SHAPES: Readonly<Record<string, Partial<Signature['features'][number]>[]>> = {
  tone: [
    { name: 'input_ids', type: 'int64', width: 0, shape: [null] },
    { name: 'attention_mask', type: 'int64', width: 0, shape: [null] },
  ],
  delay: [{ name: 'measurements', type: 'float32', width: 0, shape: [null, 3] }],
  cabin: [{ name: 'choices', type: 'string', width: 3 }],
  digit: [{ name: 'pixels', type: 'int32', element: 'uint8', width: 64, shape: [8, 8] }],
  price: ['area', 'rooms', 'age', 'floor'].map((name) => ({ name, type: 'float32', element: 'float16', width: 1 })),
};

function scoresOf({ rows }: ArrayModel): unknown[] {
  return rows.map((row) => row['expected_score'] ?? row['expected_value']);
}

describe('a model of arrays says what its framework says of every row', () => {
  test.each(arrayModels.map((model) => [model.name, model] as const))('%s', async (name, model) => {
    const expectedRows = model.tolerance === undefined ? { expect: model.rows } : {};
    const { signature, expectation, served } = await checkModel(arrayBytes(model), {
      ...deployOptions(model.deploy ?? {}),
      ...expectedRows,
    });
    expect(signature).toMatchObject({ task: model.task, features: SHAPES[name], batch: null });
    expect(expectation?.rows ?? model.rows.length).toBe(model.rows.length);

    const session = await ModelSession.load(served ?? arrayBytes(model), signature);
    const { score, errors } = await session.predictRows(model.rows.map((row) => featuresOf(model, row)));
    await session.release();
    expect([...errors]).toEqual([]);
    const digits = model.tolerance === undefined ? 5 : 2;
    expect([...score]).toEqual(scoresOf(model).map((value) => expect.closeTo(Number(value), digits)));
  });
});
