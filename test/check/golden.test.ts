import { describe, expect, test } from '@jest/globals';
import { inlineExternalData } from '../../src/onnx/external-data.ts';
import { checkModel } from '../../src/check/check-model.ts';
import { besideGolden, deployOptions, goldenBytes, goldenModels, goldenRows } from '../support/golden-models.ts';

describe('every model predicts what its training framework predicted', () => {
  test.each(goldenModels.map((model) => [model.name, model] as const))('%s', async (_, model) => {
    const bytes = await inlineExternalData(goldenBytes(model), (name) => besideGolden(model, name));
    const expected = goldenRows(model);
    const { signature, expectation } = await checkModel(bytes, { ...deployOptions(model.deploy), expect: expected });
    expect(signature).toMatchObject({ task: model.task, classLabels: model.class_labels, batch: null });
    expect(expectation?.rows).toBe(expected.length);
    expect(expectation?.worst?.difference).toBeLessThanOrEqual(1e-5);
  });
});
