import { describe, expect, test } from '@jest/globals';
import { checkModel } from '../../src/check/check-model.ts';
import { DataType, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';

const labels = tensorValue('label', [null], DataType.INT64);

describe('whole numbers beside probabilities', () => {
  const outputs = [labels, tensorValue('p', [null, 3])];
  const softmax = node('Softmax', ['X'], ['p'], { axis: -1 });
  const named = { features: ['a', 'b', 'c'], classLabels: ['low', 'middle', 'high'] };
  const chosen = (op: string, by = 'label') => node(op, ['X'], [by], { axis: 1, keepdims: 0 });

  test('name the classes by position', async () => {
    const model = onnxModel({ nodes: [softmax, chosen('ArgMax')], outputs });
    const { signature, warnings } = await checkModel(model, named);
    expect(signature).toMatchObject({ task: 'multiclass', classLabels: named.classLabels });
    expect(warnings).toEqual([]);
  });

  test('are refused where they are the positions of others, or counted from 1', async () => {
    const wrong = { code: 'model_class_labels_wrong' };
    await expect(checkModel(onnxModel({ nodes: [softmax, chosen('ArgMin')], outputs }), named)).rejects.toMatchObject(
      wrong,
    );
    const nodes = [softmax, chosen('ArgMax', 'index'), node('Add', ['index', 'one'], ['label'])];
    const model = onnxModel({ nodes, outputs, tensors: [integers('one', [1], [1])] });
    await expect(checkModel(model, named)).rejects.toMatchObject(wrong);
  });

  test('alone name none', async () => {
    const model = onnxModel({ nodes: [chosen('ArgMax')], outputs: [labels] });
    await expect(checkModel(model, named)).rejects.toMatchObject({ code: 'model_class_labels_wrong' });
  });
});
