import { describe, expect, test } from '@jest/globals';
import { loadModelSession } from '../../src/inference/load-model-session.ts';
import type { Feature, ModelInput, Signature } from '../../src/inference/signature.ts';
import { batchOf, bigint, real, text } from '../support/batches.ts';
import { classic, DataType, floats, node, onnxModel, strings, tensorValue } from '../support/onnx-builder.ts';

const X: ModelInput = { name: 'X', type: 'float32', width: 1, shape: [null, 1] };
const x: Feature = { name: 'x', input: 'X', position: 0, type: 'float32', width: 1, nulls: 'nan' };
const oneColumn = { inputs: [X], features: [x], batch: null };
const regression: Signature = { ...oneColumn, task: 'regression', outputs: { value: { name: 'y' } }, classLabels: [] };
const binary: Signature = {
  ...oneColumn,
  task: 'binary',
  outputs: { probabilities: { name: 'y', width: 1 } },
  classLabels: ['no', 'yes'],
  positiveClass: 'yes',
  threshold: 0.5,
};
const inputs = [tensorValue('X', [null, 1])];
const outputs = [tensorValue('y', [null, 1])];
const itself = onnxModel({ nodes: [node('Identity', ['X'], ['y'])], inputs, outputs });

async function predict(model: Uint8Array, signature: Signature, values: (number | null)[]) {
  const session = await loadModelSession(model, signature);
  const predictions = await session.predict(batchOf({ x: real(values) }));
  await session.release();
  return { ...predictions, errors: [...predictions.errors].map(([row, { code }]) => [row, code]) };
}

describe('a regression', () => {
  test('scores each row', async () => {
    const { rows, score, label, probabilities, errors } = await predict(itself, regression, [1.5, -2]);
    expect({ rows, score: [...score], label, probabilities, errors }).toEqual({
      rows: 2,
      score: [1.5, -2],
      label: null,
      probabilities: null,
      errors: [],
    });
  });

  test('gives no score where the model returns no finite number', async () => {
    const { score, errors } = await predict(itself, regression, [1, null, Infinity]);
    expect([...score]).toEqual([1, Number.NaN, Number.NaN]);
    expect(errors).toEqual([
      [1, 'non_finite_output'],
      [2, 'non_finite_output'],
    ]);
  });

  test('passes infinity on where the model makes something finite of it', async () => {
    const clipped = onnxModel({
      nodes: [node('Clip', ['X', 'low', 'high'], ['y'])],
      inputs,
      outputs,
      tensors: [floats('low', [], [-10]), floats('high', [], [10])],
    });
    expect([...(await predict(clipped, regression, [Infinity, -Infinity])).score]).toEqual([10, -10]);
  });

  test('of no rows scores none', async () => {
    expect((await predict(itself, regression, [])).rows).toBe(0);
  });

  test('runs nothing where every row is bad', async () => {
    const strict = { ...regression, features: [{ ...x, nulls: 'error' as const }] };
    expect((await predict(itself, strict, [null, null])).errors).toEqual([
      [0, 'null_feature'],
      [1, 'null_feature'],
    ]);
  });
});

describe('a binary model', () => {
  test('of one column returns P(positive)', async () => {
    const { score, label, probabilities } = await predict(itself, binary, [0.25, 0.5, 0.75]);
    expect([...score]).toEqual([0.25, 0.5, 0.75]);
    expect([...label!]).toEqual([0, 1, 1]);
    expect([...probabilities!]).toEqual([0.75, 0.25, 0.5, 0.5, 0.25, 0.75]);
  });

  test('of two columns is positive by its own class and threshold', async () => {
    const model = onnxModel({
      nodes: [node('Sub', ['one', 'X'], ['rest']), node('Concat', ['rest', 'X'], ['y'], { axis: 1 })],
      inputs,
      outputs: [tensorValue('y', [null, 2])],
      tensors: [floats('one', [1], [1])],
    });
    const signature: Signature = {
      ...binary,
      outputs: { probabilities: { name: 'y', width: 2 } },
      positiveClass: 'no',
      threshold: 0.75,
    };
    const { score, label } = await predict(model, signature, [0.25, 0.5]);
    expect([...score]).toEqual([0.75, 0.5]);
    expect([...label!]).toEqual([0, 1]);
  });

  test.each([
    ['yes', [0, 0, 1]],
    ['no', [1, 0, 0]],
  ])('without a threshold is of the first class at a tie, where %s is positive', async (positiveClass, labels) => {
    const { threshold: _, ...undecided } = binary;
    const { label } = await predict(itself, { ...undecided, positiveClass }, [0.25, 0.5, 0.75]);
    expect([...label!]).toEqual(labels);
  });

  test('without a threshold takes the label that the model returns beside its probabilities', async () => {
    const above = [node('Greater', ['X', 'limit'], ['b']), node('Cast', ['b'], ['l'], { to: DataType.INT64 })];
    const model = onnxModel({
      nodes: [node('Identity', ['X'], ['y']), ...above],
      inputs,
      outputs: [tensorValue('y', [null, 1]), tensorValue('l', [null, 1], DataType.INT64)],
      tensors: [floats('limit', [1], [0.6])],
    });
    const { threshold: _, ...undecided } = binary;
    const own = { ...undecided.outputs, label: { name: 'l', type: 'int64' as const } };
    const signature = { ...undecided, classLabels: ['0', '1'], positiveClass: '1', outputs: own };
    expect([...(await predict(model, signature, [0.55, 0.65])).label!]).toEqual([0, 1]);
    expect([...(await predict(model, { ...signature, threshold: 0.5 }, [0.55, 0.65])).label!]).toEqual([1, 1]);
    const strange = { ...signature, classLabels: ['0', '2'], positiveClass: '2' };
    expect((await predict(model, strange, [0.55, 0.65])).errors).toEqual([[1, 'unknown_label']]);
  });

  test('gives a probability that is rounded past 0 or 1 as these', async () => {
    const { score, probabilities } = await predict(itself, binary, [1.0000001, -1e-7]);
    expect([...score]).toEqual([1, 0]);
    expect([...probabilities!]).toEqual([0, 1, 1, 0]);
  });

  test('keeps a row without prediction apart', async () => {
    const { score, label, probabilities, errors } = await predict(itself, binary, [null, 0.75]);
    expect([...score]).toEqual([Number.NaN, 0.75]);
    expect([...label!]).toEqual([-1, 1]);
    expect([...probabilities!].slice(0, 2)).toEqual([Number.NaN, Number.NaN]);
    expect(errors).toEqual([[0, 'non_finite_output']]);
  });
});

describe('a multiclass model', () => {
  const labels: Signature = {
    ...oneColumn,
    task: 'multiclass',
    outputs: { label: { name: 'y', type: 'string' } },
    classLabels: ['a', 'b', 'c'],
  };
  const picking = (classes: string[]) =>
    onnxModel({
      nodes: [node('Cast', ['X'], ['i'], { to: DataType.INT64 }), node('Gather', ['classes', 'i'], ['y'])],
      inputs,
      outputs: [tensorValue('y', [null, 1], DataType.STRING)],
      tensors: [strings('classes', classes)],
    });

  test('takes the most probable class', async () => {
    const model = onnxModel({
      nodes: [node('Concat', ['X', 'half', 'X'], ['y'], { axis: 1 })],
      inputs,
      outputs: [tensorValue('y', [null, 3])],
      tensors: [floats('half', [1, 1], [0.5])],
    });
    const signature: Signature = { ...labels, outputs: { probabilities: { name: 'y', width: 3 } } };
    const { score, label, probabilities } = await predict(model, signature, [0.25]);
    expect([...score]).toEqual([0.5]);
    expect([...label!]).toEqual([1]);
    expect([...probabilities!]).toEqual([0.25, 0.5, 0.25]);
  });

  test('gives a probability that is rounded past 1 as 1', async () => {
    const model = onnxModel({
      nodes: [node('Concat', ['X', 'none', 'none'], ['y'], { axis: 1 })],
      inputs,
      outputs: [tensorValue('y', [null, 3])],
      tensors: [floats('none', [1, 1], [-1e-7])],
    });
    const signature: Signature = { ...labels, outputs: { probabilities: { name: 'y', width: 3 } } };
    const { score, probabilities } = await predict(model, signature, [1.0000001]);
    expect([...score, ...probabilities!]).toEqual([1, 1, 0, 0]);
  });

  test('without probabilities gives labels and no score, which is no error', async () => {
    const { score, label, probabilities, errors } = await predict(picking(['a', 'b', 'c']), labels, [2, 0]);
    expect({ score: [...score], label: [...label!], probabilities, errors }).toEqual({
      score: [Number.NaN, Number.NaN],
      label: [2, 0],
      probabilities: null,
      errors: [],
    });
  });

  test('gives no prediction for a label that it never named', async () => {
    const { label, errors } = await predict(picking(['a', 'z', 'c']), labels, [1, 2]);
    expect([...label!]).toEqual([-1, 2]);
    expect(errors).toEqual([[0, 'unknown_label']]);
  });
});

describe('a row that the model refuses', () => {
  /** An index past the table fails the whole run. */
  const table = onnxModel({
    nodes: [node('Gather', ['table', 'X'], ['y'])],
    inputs: [tensorValue('X', [null, 1], DataType.INT64)],
    outputs,
    tensors: [floats('table', [3], [10, 20, 30])],
  });
  const signature: Signature = {
    ...regression,
    inputs: [{ ...X, type: 'int64' }],
    features: [{ ...x, type: 'int64', nulls: 'error' }],
  };

  test('is found and spoils no other', async () => {
    const session = await loadModelSession(table, signature);
    const values = Array.from({ length: 100 }, (_, row) =>
      BigInt(row === 17 || row === 18 || row === 99 ? 7 : row % 3),
    );
    const { score, errors } = await session.predict(batchOf({ x: bigint(values) }));
    expect([...errors].map(([row, { code }]) => [row, code])).toEqual([
      [17, 'refused_by_model'],
      [18, 'refused_by_model'],
      [99, 'refused_by_model'],
    ]);
    expect([...score]).toEqual(values.map((value) => (value === 7n ? Number.NaN : 10 * (Number(value) + 1))));
    await session.release();
  });

  test('says why', async () => {
    const session = await loadModelSession(table, signature);
    const { errors } = await session.predict(batchOf({ x: bigint([9n]) }));
    expect(errors.get(0)?.message).toMatch(/Gather.*out of data bounds/);
    await session.release();
  });
});

describe('a model that is fixed to three rows', () => {
  const model = onnxModel({
    nodes: [node('Identity', ['X'], ['y'])],
    inputs: [tensorValue('X', [3, 1])],
    outputs: [tensorValue('y', [3, 1])],
  });

  test('scores any number of rows, the last ones padded', async () => {
    const values = [1, 2, 3, 4, 5, 6, 7];
    expect([...(await predict(model, { ...regression, batch: 3 }, values)).score]).toEqual(values);
    expect([...(await predict(model, { ...regression, batch: 3 }, [8])).score]).toEqual([8]);
  });
});

test('a model that returns another number of rows is refused', async () => {
  const doubled = onnxModel({
    nodes: [node('Concat', ['X', 'X'], ['y'], { axis: 0 })],
    inputs,
    outputs,
  });
  await expect(predict(doubled, regression, [1])).rejects.toMatchObject({ code: 'model_output_rows' });
});

test('texts reach the model', async () => {
  const model = onnxModel({
    nodes: [
      classic('LabelEncoder', ['X'], ['y'], { keys_strings: ['a', 'ü'], values_floats: [1, 2], default_float: -1 }),
    ],
    inputs: [tensorValue('X', [null, 1], DataType.STRING)],
    outputs,
  });
  const signature: Signature = {
    ...regression,
    inputs: [{ ...X, type: 'string' }],
    features: [{ ...x, type: 'string', nulls: 'error' }],
  };
  const session = await loadModelSession(model, signature);
  const { score } = await session.predict(batchOf({ x: text(['ü', 'a', 'b', 'ü']) }));
  expect([...score]).toEqual([2, 1, -1, 2]);
  await session.release();
});
