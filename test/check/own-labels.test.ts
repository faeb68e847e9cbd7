import { describe, expect, test } from '@jest/globals';
import { checkModel } from '../../src/check/check-model.ts';
import { DataType, floats, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';

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

  describe('of two classes', () => {
    const two = { features: ['a', 'b', 'c'], classLabels: ['ok', 'fraud'], positiveClass: 'fraud' };
    /** The sum of features as the probability of the second class, and whether it is past a threshold. */
    const past = (threshold: number, op = 'Greater', type = DataType.INT64): Uint8Array =>
      onnxModel({
        nodes: [
          node('ReduceSum', ['X', 'axis'], ['sum'], { keepdims: 1 }),
          node('Sigmoid', ['sum'], ['p']),
          node('Squeeze', ['p', 'axis'], ['flat']),
          node(op, ['flat', 'limit'], ['past']),
          type === DataType.BOOL
            ? node('Identity', ['past'], ['label'])
            : node('Cast', ['past'], ['label'], { to: type }),
        ],
        outputs: [tensorValue('label', [null], type), tensorValue('p', [null, 1])],
        tensors: [integers('axis', [1], [1]), floats('limit', [1], [threshold])],
      });

    test('they may go by a threshold of the model', async () => {
      const { signature } = await checkModel(past(0.2), two);
      expect(signature).toMatchObject({ task: 'binary', positiveClass: 'fraud' });
    });

    test.each([
      ['whole numbers', DataType.INT64],
      ['booleans', DataType.BOOL],
    ])('%s are refused where the higher probabilities have the first class', async (_, type) => {
      await expect(checkModel(past(0.5, 'Less', type), two)).rejects.toMatchObject({
        code: 'model_class_labels_wrong',
      });
    });

    test('where all samples have one class, a warning says that their order is not shown', async () => {
      const { warnings } = await checkModel(past(-1), two);
      expect(warnings).toContainEqual(expect.stringContaining("is 'fraud' in all sample rows"));
    });
  });

  test('alone name none', async () => {
    const model = onnxModel({ nodes: [chosen('ArgMax')], outputs: [labels] });
    await expect(checkModel(model, named)).rejects.toMatchObject({ code: 'model_class_labels_wrong' });
  });
});
