import { Binary, makeData, type Data } from 'apache-arrow';
import { describe, expect, test } from '@jest/globals';
import { PredictionEncoder } from '../../src/copy/encode.ts';
import type { Predictions, RowError } from '../../src/inference/predictions.ts';
import { PgscoreError } from '../../src/errors.ts';
import { array, float8, int4, int8, text, tuple } from '../support/copy-stream.ts';

const NONE = new Map<number, RowError>();
const TARGET = { constants: { generation: 7, runId: '9007199254740993' } };
const GENERATION = int4(7);
const RUN_ID = int8(9_007_199_254_740_993n);

function binary(values: readonly (Buffer | null)[]): Data<Binary> {
  const valueOffsets = new Int32Array(values.length + 1);
  values.forEach((value, row) => (valueOffsets[row + 1] = valueOffsets[row]! + (value?.length ?? 0)));
  const nullBitmap = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, row) => (nullBitmap[row >> 3]! |= value === null ? 0 : 1 << (row & 7)));
  return makeData({
    type: new Binary(),
    length: values.length,
    nullCount: values.filter((value) => value === null).length,
    nullBitmap,
    valueOffsets,
    data: Buffer.concat(values.map((value) => value ?? Buffer.alloc(0))),
  });
}

function batchOf(keys: Data<Binary>[], eventTime: Data<Binary> | null = null) {
  return { rows: keys[0]!.length, keys, eventTime };
}

function classified(label: number[], probabilities: number[], errors: Predictions['errors'] = NONE): Predictions {
  const classes = probabilities.length / label.length;
  return {
    rows: label.length,
    score: Float64Array.from(label, (winner, row) => probabilities[row * classes + winner] ?? Number.NaN),
    label: Int32Array.from(label),
    probabilities: Float64Array.from(probabilities),
    errors,
  };
}

const classifier = new PredictionEncoder({
  ...TARGET,
  task: 'binary',
  classLabels: ['no', 'ja ✓'],
  valueColumns: ['probability_no', 'probability_ja ✓'],
});

describe('a prediction is written as one tuple', () => {
  test('of a classifier', () => {
    const keys = [binary([int8(1n), int8(2n)]), binary([text('a'), text('long key '.repeat(20))])];
    const times = binary([int8(5n), null]);
    expect(classifier.encode(batchOf(keys, times), classified([0, 1], [0.75, 0.25, 0.1, 0.9]))).toEqual(
      Buffer.concat([
        tuple([
          GENERATION,
          RUN_ID,
          int8(1n),
          text('a'),
          int8(5n),
          float8(0.75),
          text('no'),
          float8(0.75),
          float8(0.25),
          null,
        ]),
        tuple([
          GENERATION,
          RUN_ID,
          int8(2n),
          text('long key '.repeat(20)),
          null,
          float8(0.9),
          text('ja ✓'),
          float8(0.1),
          float8(0.9),
          null,
        ]),
      ]),
    );
  });

  test('of a regression, which has neither label nor probabilities', () => {
    const encoder = new PredictionEncoder({ ...TARGET, task: 'regression', classLabels: [], valueColumns: null });
    const predictions = { rows: 2, score: Float64Array.of(1.5, -0), label: null, probabilities: null, errors: NONE };
    expect(encoder.encode(batchOf([binary([int8(1n), null])]), predictions)).toEqual(
      Buffer.concat([
        tuple([GENERATION, RUN_ID, int8(1n), float8(1.5), null]),
        tuple([GENERATION, RUN_ID, null, float8(-0), null]),
      ]),
    );
  });

  test('of a model with many classes, whose probabilities are one jsonb', () => {
    const encoder = new PredictionEncoder({ ...TARGET, task: 'binary', classLabels: ['a"b', 'c'], valueColumns: null });
    const json = text('\u0001{"a\\"b":1.5e-7,"c":0.25}');
    expect(encoder.encode(batchOf([binary([int8(1n)])]), classified([1], [1.5e-7, 0.25]))).toEqual(
      tuple([GENERATION, RUN_ID, int8(1n), float8(0.25), text('c'), json, null]),
    );
  });

  test('of a classifier that returns labels alone', () => {
    const predictions = {
      rows: 1,
      score: Float64Array.of(Number.NaN),
      label: Int32Array.of(1),
      probabilities: null,
      errors: NONE,
    };
    expect(classifier.encode(batchOf([binary([int8(1n)])]), predictions)).toEqual(
      tuple([GENERATION, RUN_ID, int8(1n), null, text('ja ✓'), null, null, null]),
    );
  });
});

test('a row that could not be scored has its key and the code of its error alone', () => {
  const errors = new Map<number, RowError>([[1, { code: 'null_feature', message: 'x is NULL', feature: 'x' }]]);
  const predictions = classified([0, -1, 1], [1, 0, Number.NaN, Number.NaN, 0, 1], errors);
  expect(classifier.encode(batchOf([binary([int8(1n), int8(2n), int8(3n)])]), predictions)).toEqual(
    Buffer.concat([
      tuple([GENERATION, RUN_ID, int8(1n), float8(1), text('no'), float8(1), float8(0), null]),
      tuple([GENERATION, RUN_ID, int8(2n), null, null, null, null, text('null_feature')]),
      tuple([GENERATION, RUN_ID, int8(3n), float8(1), text('ja ✓'), float8(0), float8(1), null]),
    ]),
  );
});

test('the values of its segments follow each row, failed or not, as one array of texts', () => {
  const encoder = new PredictionEncoder({ constants: null, task: 'regression', classLabels: [], valueColumns: null });
  const errors = new Map<number, RowError>([[2, { code: 'null_feature', message: 'x is NULL', feature: 'x' }]]);
  const score = Float64Array.of(1, 2, Number.NaN);
  const predictions = { rows: 3, score, label: null, probabilities: null, errors };
  const batch = batchOf([binary([int8(1n), int8(2n), int8(3n)])]);
  const colours: (string | null)[] = [null, ':other', 'Grün ☃'];
  const segments = {
    indexes: [Uint32Array.of(2, 0, 1), Uint32Array.of(1, 1, 0)],
    values: [colours, [null, '']],
    firstUnnamed: [2, 2],
  };
  const texts = (...values: (string | null)[]): Buffer =>
    array(
      25,
      values.map((value) => (value === null ? null : text(value))),
    );
  expect(encoder.encode(batch, predictions, segments)).toEqual(
    Buffer.concat([
      tuple([int8(1n), float8(1), null, texts('Grün ☃', '')]),
      tuple([int8(2n), float8(2), null, texts(null, '')]),
      tuple([int8(3n), null, text('null_feature'), texts(':other', null)]),
    ]),
  );
  colours.push('a longer one than those before');
  const next = { ...segments, indexes: [Uint32Array.of(3), Uint32Array.of(0)] };
  expect(encoder.encode(batchOf([binary([int8(4n)])]), { ...predictions, errors: NONE, rows: 1 }, next)).toEqual(
    tuple([int8(4n), float8(1), null, texts('a longer one than those before', null)]),
  );
});

test('what the table has as its defaults is left out', () => {
  const encoder = new PredictionEncoder({ constants: null, task: 'regression', classLabels: [], valueColumns: null });
  const predictions = { rows: 1, score: Float64Array.of(1.5), label: null, probabilities: null, errors: NONE };
  expect(encoder.encode(batchOf([binary([int8(1n)])]), predictions)).toEqual(tuple([int8(1n), float8(1.5), null]));
});

describe('a row without an error and without a prediction is a defect, and is not written', () => {
  const batch = batchOf([binary([int8(1n)])]);

  test.each([
    ['no finite score', { score: Float64Array.of(Number.NaN) }],
    ['an infinite score', { score: Float64Array.of(Number.POSITIVE_INFINITY) }],
    ['no label', { label: Int32Array.of(-1) }],
    ['a label that the model does not have', { label: Int32Array.of(2) }],
    ['a probability that is no number', { probabilities: Float64Array.of(0.5, Number.NaN) }],
    ['too few probabilities', { probabilities: Float64Array.of(0.5) }],
  ])('%s', (_, wrong) => {
    const predictions = { ...classified([0], [0.5, 0.5]), ...wrong };
    expect(() => classifier.encode(batch, predictions)).toThrow(PgscoreError);
  });
});

test('a target whose columns do not fit its classes is a defect', () => {
  expect(
    () => new PredictionEncoder({ ...TARGET, task: 'binary', classLabels: ['a', 'b'], valueColumns: ['a'] }),
  ).toThrow('1 probability columns for 2 classes');
});
