import { describe, expect, test } from '@jest/globals';
import { loadModelSession } from '../../src/inference/load-model-session.ts';
import { checkModel } from '../../src/check/check-model.ts';
import { batchOf, real } from '../support/batches.ts';
import {
  classic,
  DataType,
  floats,
  integers,
  mapsValue,
  node,
  onnxModel,
  tensorValue,
} from '../support/onnx-builder.ts';

const features = ['a', 'b', 'c'];
const total = node('ReduceSum', ['X', 'axis'], ['y'], { keepdims: 1 });
const axis = integers('axis', [1], [1]);
const matrix = (rows: number | null) => [tensorValue('X', [rows, 3])];

const classifier = (post: string) =>
  classic('LinearClassifier', ['X'], ['label', 'p'], {
    classlabels_ints: [0, 1],
    coefficients: [-1, -1, -1, 1, 1, 1],
    intercepts: [0, 0],
    post_transform: post,
  });
const labels = tensorValue('label', [null], DataType.INT64);

describe('rows that are asked about', () => {
  const sums = onnxModel({ nodes: [total], tensors: [axis] });
  const ask = async (...rows: Record<string, unknown>[]) =>
    (await checkModel(sums, { features }, () => Promise.resolve(rows))).reference;

  test('are scored, without those that the model can not take', async () => {
    const rows = [
      { a: 1, b: 2, c: 3 },
      { a: null, b: 2, c: 3 },
      { a: 'x', b: 2, c: 3 },
      { a: '-0', b: 0.5, c: 0 },
    ];
    expect(await ask(...rows)).toEqual({ rows: [0, 3], score: [6, 0.5], label: null, probabilities: null, silent: [] });
  });

  test('are answered for in their order by a classifier, too', async () => {
    const model = onnxModel({ nodes: [classifier('SOFTMAX')], outputs: [labels, tensorValue('p', [null, 2])] });
    const rows = [1, null, -2].map((a) => ({ a, b: 0, c: 0 }));
    const { reference } = await checkModel(model, { features }, () => Promise.resolve(rows));
    const certain = (share: number) => expect.closeTo(share, 6);
    expect(reference).toMatchObject({ rows: [0, 2], label: [1, 0], silent: [] });
    expect(reference?.probabilities).toEqual([0.119203, 0.880797, 0.982014, 0.017986].map(certain));
  });

  test('are told apart where it says nothing of them', async () => {
    const infinite = { a: 'Infinity', b: '-Infinity', c: 0 };
    expect(await ask(infinite, { a: 1, b: 1, c: 1 })).toMatchObject({ rows: [0, 1], score: [null, 3], silent: [0] });
  });

  test('are none where nobody asks', async () => {
    expect(await checkModel(sums, { features })).toMatchObject({ reference: null });
  });
});

describe('what is served', () => {
  test('is what was deployed where nothing had to change', async () => {
    const bytes = onnxModel({ nodes: [total], tensors: [axis], metadata: { owner: 'me' } });
    expect(await checkModel(bytes, { features })).toMatchObject({
      served: null,
      warnings: [],
      metadata: { owner: 'me' },
      opset: { '': 17, 'ai.onnx.ml': 3 },
      producer: { name: 'onnx-builder' },
      expectation: null,
      signature: { task: 'regression', batch: null, outputs: { value: { name: 'y' } } },
    });
  });

  test('returns probabilities where the model returned maps', async () => {
    const zipMap = classic('ZipMap', ['p'], ['maps'], { classlabels_int64s: [0, 1] });
    const bytes = onnxModel({ nodes: [classifier('LOGISTIC'), zipMap], outputs: [labels, mapsValue('maps')] });
    const { served, signature } = await checkModel(bytes, { features });
    const session = await loadModelSession(served!, signature);
    const { score, label } = await session.predict(batchOf({ c: real([3, -3]), a: real([0, 0]), b: real([0, 0]) }));
    expect(score[0]).toBeCloseTo(1 / (1 + Math.exp(-3)), 6);
    expect([...label!]).toEqual([1, 0]);
    await session.release();
  });

  test('takes any number of rows where the file fixes one and the graph does not care', async () => {
    const bytes = onnxModel({
      nodes: [total],
      tensors: [axis],
      inputs: matrix(1),
      outputs: [tensorValue('y', [1, 1])],
    });
    const { served, signature, warnings } = await checkModel(bytes, { features });
    expect(signature.batch).toBe(null);
    expect(warnings).toEqual([]);
    const session = await loadModelSession(served!, signature);
    const five = real([1, 2, 3, 4, 5]);
    expect([...(await session.predict(batchOf({ a: five, b: five, c: five }))).score]).toEqual([3, 6, 9, 12, 15]);
    await session.release();
  });

  test.each([
    ['fails for more', node('Reshape', ['X', 'row'], ['r'])],
    ['mixes them', node('Sub', ['X', 'mean'], ['r'])],
  ])('keeps its number of rows where the graph %s', async (_, last) => {
    const bytes = onnxModel({
      nodes: [
        node('ReduceMean', ['X'], ['mean'], { axes: [0], keepdims: 1 }),
        last,
        node('Add', ['r', 'X'], ['s']),
        node('ReduceSum', ['s', 'axis'], ['y'], { keepdims: 1 }),
      ],
      tensors: [axis, integers('row', [2], [1, 3])],
      inputs: matrix(1),
      outputs: [tensorValue('y', [1, 1])],
    });
    const { served, signature, warnings } = await checkModel(bytes, { features });
    expect(signature.batch).toBe(1);
    expect(served).toBe(null);
    expect(warnings).toEqual([expect.stringContaining('fixed to 1 rows')]);
  });
});

test('a model that only claims to take any number of rows gets them one by one', async () => {
  const bytes = onnxModel({
    nodes: [node('Reshape', ['X', 'row'], ['r']), node('ReduceSum', ['r', 'axis'], ['y'], { keepdims: 1 })],
    tensors: [axis, integers('row', [2], [1, 3])],
  });
  const { signature, warnings } = await checkModel(bytes, { features });
  expect(signature.batch).toBe(1);
  expect(warnings).toEqual([expect.stringContaining('fixed to 1 rows')]);
});

describe('a model is refused', () => {
  test('whose class scores are logits', async () => {
    const bytes = onnxModel({ nodes: [classifier('NONE')], outputs: [tensorValue('p', [null, 2])] });
    await expect(checkModel(bytes, { features, classLabels: ['0', '1'] })).rejects.toMatchObject({
      code: 'model_output_not_probability',
      remedy: expect.stringContaining('logits => true'),
    });
  });

  test('whose labels are other than named', async () => {
    const bytes = onnxModel({
      nodes: [classifier('LOGISTIC'), node('Add', ['label', 'ten'], ['other'])],
      outputs: [tensorValue('other', [null], DataType.INT64), tensorValue('p', [null, 2])],
      tensors: [integers('ten', [1], [10])],
    });
    await expect(checkModel(bytes, { features, classLabels: ['0', '1'] })).rejects.toMatchObject({
      code: 'model_class_labels_wrong',
    });
  });

  test('whose normalisation runs over the rows', async () => {
    const bytes = onnxModel({
      nodes: [node('Softmax', ['X'], ['s'], { axis: 0 }), node('ReduceSum', ['s', 'axis'], ['y'], { keepdims: 1 })],
      tensors: [axis],
    });
    await expect(checkModel(bytes, { features })).rejects.toMatchObject({ code: 'model_rows_mixed' });
  });
});

test('a label that goes against the probabilities is worth a warning', async () => {
  const bytes = onnxModel({
    nodes: [classifier('LOGISTIC'), node('Sub', ['one', 'label'], ['against'])],
    outputs: [tensorValue('against', [null], DataType.INT64), tensorValue('p', [null, 2])],
    tensors: [integers('one', [1], [1])],
  });
  const { warnings } = await checkModel(bytes, { features, classLabels: ['0', '1'] });
  expect(warnings).toEqual([expect.stringContaining("'against' differs")]);
});

test('encoders that refuse the unknown are tried with the categories that they know', async () => {
  const bytes = onnxModel({
    nodes: [
      classic('OneHotEncoder', ['carrier'], ['e'], { cats_strings: ['UA', 'EV'], zeros: 0 }),
      node('Flatten', ['e'], ['f']),
      node('ReduceSum', ['f', 'axis'], ['y'], { keepdims: 1 }),
    ],
    inputs: [tensorValue('carrier', [null, 1], DataType.STRING)],
    tensors: [axis],
  });
  expect((await checkModel(bytes, {})).signature.features).toMatchObject([{ name: 'carrier', type: 'string' }]);
});

describe('expected predictions', () => {
  const regression = onnxModel({ nodes: [total], tensors: [axis] });
  const binary = onnxModel({ nodes: [classifier('LOGISTIC')], outputs: [labels, tensorValue('p', [null, 2])] });
  const check = (bytes: Uint8Array, ...expect: Record<string, unknown>[]) => checkModel(bytes, { features, expect });
  const half = { a: 0, b: 0, c: 0 };

  test('that agree are reported with the largest difference', async () => {
    const { expectation } = await check(
      regression,
      { A: '1', b: '2', c: '3', id: 'x', expected_value: '6' },
      { A: 1, b: 2, c: 3.5, expected_value: 6.500001 },
    );
    expect(expectation).toMatchObject({ rows: 2, worst: { row: 2, column: 'expected_value' } });
    expect(expectation!.worst!.difference).toBeLessThan(1e-6);
  });

  test('are compared to a tolerance that small probabilities survive', async () => {
    const tiny = 1 / (1 + Math.exp(12));
    const row = { a: -12, b: 0, c: 0, expected_label: '0' };
    await expect(
      check(binary, { ...row, expected_score: tiny * 1.1, expected_probability_1: tiny }),
    ).resolves.toBeTruthy();
  });

  test('that differ are refused, naming row, column and both values', async () => {
    const rows = [
      { a: 1, b: 1, c: 1, expected_value: 3 },
      { a: 1, b: 1, c: 1, expected_value: 3.0001 },
    ];
    await expect(check(regression, ...rows)).rejects.toMatchObject({
      code: 'model_expectation_failed',
      message: 'row 2: expected_value is 3.0001, the exported model predicts 3',
    });
  });

  test('may have the other label only where rounding decides, and not at a tie', async () => {
    const near = { a: 1e-6, b: 0, c: 0 };
    await expect(check(binary, { ...near, expected_label: 0 }, { ...near, expected_label: '1' })).resolves.toBeTruthy();
    await expect(check(binary, { ...half, expected_label: '0' })).resolves.toBeTruthy();
    await expect(check(binary, { ...half, expected_label: '1' })).rejects.toMatchObject({
      message: 'row 1: expected_label is 1, the exported model predicts 0',
    });
    const expected = [{ ...half, expected_label: '0' }];
    await expect(checkModel(binary, { features, threshold: 0.5, expect: expected })).rejects.toMatchObject({
      message: 'row 1: expected_label is 0, the exported model predicts 1',
    });
    await expect(check(binary, { a: 1, b: 0, c: 0, expected_label: '0' })).rejects.toMatchObject({
      code: 'model_expectation_failed',
      message: expect.stringContaining('row 1: expected_label is 0'),
    });
  });

  test('of a row that can not be scored fail', async () => {
    await expect(check(regression, { a: null, b: 1, c: 1, expected_value: 2 })).rejects.toMatchObject({
      code: 'model_expectation_failed',
      message: expect.stringContaining('a is NULL'),
    });
  });

  test('that are blank are not compared', async () => {
    expect((await check(regression, { a: 1, b: 1, c: 1, expected_value: '' })).expectation).toEqual({
      rows: 1,
      worst: null,
    });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['are missing', half, 'model_expectation_wrong'],
    ['are no numbers', { ...half, expected_value: 'six' }, 'model_expectation_wrong'],
    ['are of another task', { ...half, expected_label: 'a' }, 'model_expectation_wrong'],
    ['are of a class that is none', { ...half, expected_probability_x: 1 }, 'model_expectation_wrong'],
    ['lack a feature', { a: 1, b: 1, expected_value: 2 }, 'feature_column_missing'],
  ])('that %s are refused', async (_, row, code) => {
    await expect(check(regression, row)).rejects.toMatchObject({ code });
  });

  test('reach the end of a long list', async () => {
    const rows = Array.from({ length: 9000 }, (_, row) => ({
      a: row,
      b: 0,
      c: 0,
      expected_value: row === 8999 ? 0 : row,
    }));
    await expect(check(regression, ...rows)).rejects.toMatchObject({ message: expect.stringContaining('row 9000') });
  });
});

test('a zero byte in the metadata is refused, for PostgreSQL can not store it', async () => {
  const bytes = onnxModel({ nodes: [total], tensors: [axis, floats('unused', [1], [0])], metadata: { note: 'a\0b' } });
  await expect(checkModel(bytes, { features })).rejects.toMatchObject({ code: 'model_unreadable' });
});

test('metadata that is JSON may write a character as JSON does', async () => {
  const metadata = { note: JSON.stringify({ color: '' }).replace('""', String.raw`"\ud83d\ude00 \u0000"`) };
  const bytes = onnxModel({ nodes: [total], tensors: [axis, floats('unused', [1], [0])], metadata });
  await expect(checkModel(bytes, { features })).resolves.toMatchObject({ metadata });
});
