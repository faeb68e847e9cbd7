import { describe, expect, test } from '@jest/globals';
import { refuseUnsafe } from '../../src/onnx/refuse.ts';
import { normalise, withAnyBatch } from '../../src/onnx/normalise.ts';
import { classic, DataType, mapsValue, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';

const classifier = classic('LinearClassifier', ['X'], ['label', 'p'], {
  classlabels_ints: [0, 1],
  coefficients: [1, 0, 0, -1, 0, 0],
  post_transform: 'LOGISTIC',
});
const label = tensorValue('label', [null], DataType.INT64);
const zipMap = (...inputs: string[]) =>
  classic('ZipMap', inputs, ['probabilities'], { classlabels_strings: ['no', 'yes'] });

describe('a ZipMap', () => {
  const bytes = onnxModel({
    nodes: [classifier, zipMap('p')],
    outputs: [label, mapsValue('probabilities')],
    metadata: { keep: 'me' },
  });

  test('gives way to the matrix that it reads, and leaves its labels', () => {
    const { outline, changed, zipMapLabels } = normalise(bytes);
    expect(changed).toBe(true);
    expect(zipMapLabels).toEqual(['no', 'yes']);
    expect(outline.nodes.map(({ op }) => op)).toEqual(['LinearClassifier']);
    expect(outline.outputs.map(({ name, declared, shape }) => ({ name, declared, shape }))).toEqual([
      { name: 'label', declared: 'tensor(int64)', shape: [null] },
      { name: 'p', declared: 'tensor(float)', shape: [null, 2] },
    ]);
    expect(outline.metadata).toEqual({ keep: 'me' });
    expect(() => refuseUnsafe(outline.bytes)).not.toThrow();
  });

  test('whose matrix is an output already takes only its own output with it', () => {
    const both = onnxModel({
      nodes: [classifier, zipMap('p')],
      outputs: [mapsValue('probabilities'), tensorValue('p', [null, 2])],
    });
    expect(normalise(both).outline.outputs.map(({ name }) => name)).toEqual(['p']);
  });

  test('that another node reads stays', () => {
    const read = onnxModel({
      nodes: [classifier, zipMap('p'), node('SequenceLength', ['probabilities'], ['n'])],
      outputs: [mapsValue('probabilities')],
    });
    expect(normalise(read).changed).toBe(false);
  });
});

test('a model without a ZipMap keeps its bytes', () => {
  const bytes = onnxModel({ nodes: [classifier], outputs: [label] });
  expect(normalise(bytes)).toMatchObject({ changed: false, zipMapLabels: [], batch: null });
  expect(normalise(bytes).outline.bytes).toBe(bytes);
});

describe('a fixed number of rows', () => {
  const bytes = onnxModel({
    nodes: [node('ReduceSum', ['X'], ['y'], { keepdims: 1 })],
    inputs: [tensorValue('X', [1, 3])],
    outputs: [tensorValue('y', [1, 1])],
    intermediates: [tensorValue('h', [1, 8])],
  });

  test('is told by the inputs', () => {
    expect(normalise(bytes).batch).toBe(1);
  });

  test('is not told by the outputs: exporters declare [1] there for any number', () => {
    const model = onnxModel({ nodes: [classifier], outputs: [tensorValue('label', [1], DataType.INT64)] });
    expect(normalise(model).batch).toBe(null);
  });

  test('can be opened in inputs and outputs; what is declared in between goes', () => {
    const { outline, batch, changed } = withAnyBatch(normalise(bytes));
    expect({ batch, changed }).toEqual({ batch: null, changed: true });
    expect(outline.inputs.map(({ shape }) => shape)).toEqual([[null, 3]]);
    expect(outline.outputs.map(({ shape }) => shape)).toEqual([[null, 1]]);
    expect(outline.intermediates).toEqual([]);
  });
});
