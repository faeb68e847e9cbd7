import { afterAll, describe, expect, test } from '@jest/globals';
import { checkModel } from '../../src/check/check-model.ts';
import { batchOfRows, type JsonRow } from '../../src/inference/json-rows.ts';
import type { Predictions } from '../../src/inference/predictions.ts';
import { loadModelSession } from '../../src/inference/load-model-session.ts';
import { classic, DataType, integers, node, onnxModel, tensorValue, type Shape } from '../support/onnx-builder.ts';

/** A model that gives the sum of its only feature: a column, or an array. A text is what it says up to 3, or nothing. */
function sumOf(type: DataType, shape: Shape): Uint8Array {
  const axes = shape.slice(1).map((_, at) => at + 1);
  return onnxModel({
    nodes: [
      type === DataType.STRING
        ? classic('LabelEncoder', ['x'], ['numbers'], { keys_strings: ['1', '2', '3'], values_floats: [1, 2, 3] })
        : node('Cast', ['x'], ['numbers'], { to: DataType.FLOAT }),
      node('ReduceSum', ['numbers', 'axes'], ['sum'], { keepdims: 0 }),
      node('Reshape', ['sum', 'column'], ['y']),
    ],
    inputs: [tensorValue('x', shape, type)],
    tensors: [integers('axes', [axes.length], axes), integers('column', [2], [-1, 1])],
  });
}

type Model = { readonly bytes: Uint8Array; readonly features: string[]; readonly good: unknown };

const loaded = new Map<Model, ReturnType<typeof load>>();
afterAll(async () => {
  for (const { session } of await Promise.all(loaded.values())) await session.release();
});

async function load({ bytes, features }: Model) {
  const { signature, served } = await checkModel(bytes, { features, task: 'regression' });
  return { signature, session: await loadModelSession(served ?? bytes, signature) };
}

/** The sum, or the code of the error, that a call says of a value, and that a batch says of it: each between two good rows. */
async function answers(model: Model, value: unknown): Promise<unknown[]> {
  const { good } = model;
  if (!loaded.has(model)) loaded.set(model, load(model));
  const { signature, session } = await loaded.get(model)!;
  const rows: JsonRow[] = [good, value, good].map((x) => ({ x }));
  const { batch, unread } = batchOfRows(signature.features, rows);
  const said = [await session.predictRows(rows), await session.predict(batch, unread)];
  for (const predictions of said)
    expect([0, 2].map((row) => answer(predictions, row))).toEqual([total(good), total(good)]);
  return said.map((predictions) => answer(predictions, 1));
}

function answer({ score, errors }: Predictions, row: number): unknown {
  // No zero is negative.
  return errors.get(row)?.code ?? Number(score[row]) + 0;
}

/** The sum of a number, or of all numbers of an array; NaN where there is none, or something else. */
function total(value: unknown): number {
  const items = Array.isArray(value) ? (value as unknown[]).flat(Infinity) : [value];
  return items.length === 0 ? Number.NaN : Math.fround(items.map(numberOf).reduce((sum, number) => sum + number, 0));
}

function numberOf(value: unknown): number {
  if (typeof value === 'object') return Number.NaN;
  return typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
}

const CODES = [
  'out_of_range',
  'null_feature',
  'mistyped_value',
  'wrong_length',
  'refused_by_model',
  'non_finite_output',
];

/** An odd value is summed as it is, or refused by name; a text that the model does not know counts as nothing. */
async function expectSumOrCode(model: Model, value: unknown, sum = total(value)): Promise<void> {
  const allowed = Number.isFinite(sum) ? [...CODES, sum] : CODES;
  for (const said of await answers(model, value)) expect(allowed).toContainEqual(said);
}

function totalOfTexts(value: unknown): number {
  const texts = Array.isArray(value) ? (value as unknown[]).flat(Infinity).map(String) : [];
  return texts.length === 0 ? Number.NaN : total([0, ...texts.filter((text) => ['1', '2', '3'].includes(text))]);
}

const column = (type: DataType, good: unknown = 1): Model => ({ bytes: sumOf(type, [null, 1]), features: ['x'], good });

const ODD = [null, '', ' ', 'abc', 'NaN', 'Infinity', '-Infinity', '1e400', 1e15, 1e19, -1e39, 2 ** 63, 2 ** 64, 0.5];
const NESTED = [{}, { x: 1 }, [], [1, 2], [[1]], [null], true];

describe.each<[string, DataType, least: number, most: number]>([
  ['int8', DataType.INT8, -128, 127],
  ['uint8', DataType.UINT8, 0, 255],
  ['int16', DataType.INT16, -(2 ** 15), 2 ** 15 - 1],
  ['uint16', DataType.UINT16, 0, 2 ** 16 - 1],
  ['int32', DataType.INT32, -(2 ** 31), 2 ** 31 - 1],
  ['uint32', DataType.UINT32, 0, 2 ** 32 - 1],
  ['int64', DataType.INT64, -(2 ** 53) + 1, 2 ** 53 - 1],
  ['uint64', DataType.UINT64, 0, 2 ** 53 - 1],
  ['float16', DataType.FLOAT16, -65_504, 65_504],
])('a feature of %s', (_, type, least, most) => {
  const model = column(type);

  test('takes the least and the most that it holds', async () => {
    for (const value of [least, most]) expect(await answers(model, value)).toEqual([total(value), total(value)]);
  });

  test('takes no number past them', async () => {
    for (const value of [least - 65_504, most * 2 + 2])
      expect(await answers(model, value)).toEqual(['out_of_range', 'out_of_range']);
  });

  test.each([...ODD, ...NESTED])('takes %j for itself or for nothing', async (value) => {
    await expectSumOrCode(model, value);
  });
});

test.each([DataType.FLOAT, DataType.DOUBLE, DataType.BFLOAT16, DataType.BOOL])(
  'a feature of type %d takes odd values for themselves or for nothing',
  async (type) => {
    const model = column(type, type === DataType.BOOL ? true : 1);
    for (const value of [...ODD, ...NESTED]) await expectSumOrCode(model, value);
  },
);

test.each([DataType.COMPLEX64, DataType.FLOAT8E4M3FN, DataType.INT4])(
  'a feature of type %d is refused',
  async (type) => {
    const refused = checkModel(sumOf(type, [null, 1]), { features: ['x'] });
    await expect(refused).rejects.toMatchObject({
      code: 'model_input_unsupported',
      remedy: expect.stringMatching(/float32/),
    });
  },
);

const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
const long = Array.from({ length: 70_000 }, () => 1);
const ARRAYS = [
  null,
  [],
  [[]],
  [null],
  [1, null],
  [1.5],
  ['a'],
  ['1', ''],
  [true],
  [{}],
  [[1], [2, 3]],
  [[1, 2], null],
  {},
  7,
  '{1,',
  '[1,',
  deep(40),
  long,
  [1e19, 1, 1],
  [-1, -1, -1],
];

describe.each<[string, Model]>([
  ['int64[] of any length', { bytes: sumOf(DataType.INT64, [null, null]), features: ['x[]'], good: [1, 2] }],
  [
    'float32[][3] of any length',
    {
      bytes: sumOf(DataType.FLOAT, [null, null, 3]),
      features: ['x'],
      good: [
        [1, 2, 3],
        [4, 5, 6],
      ],
    },
  ],
  ['float16[3]', { bytes: sumOf(DataType.FLOAT16, [null, 3]), features: ['x[]'], good: [1, 2, 3] }],
  [
    'uint8[2][2]',
    {
      bytes: sumOf(DataType.UINT8, [null, 2, 2]),
      features: ['x'],
      good: [
        [1, 2],
        [3, 4],
      ],
    },
  ],
])('an array of %s', (_, model) => {
  test.each(ARRAYS.map((value) => [JSON.stringify(value).slice(0, 40), value]))(
    'takes %s for itself or for nothing',
    async (_text, value) => {
      await expectSumOrCode(model, value);
    },
  );
});

describe.each([
  ['string[3]', [null, 3]],
  ['string[] of any length', [null, null]],
] as const)('an array of %s', (_, shape) => {
  const model = { bytes: sumOf(DataType.STRING, [...shape]), features: ['x[]'], good: ['1', '2', '3'] };

  test.each(ARRAYS.map((value) => [JSON.stringify(value).slice(0, 40), value]))(
    'takes %s for itself or for nothing',
    async (_text, value) => {
      await expectSumOrCode(model, value, totalOfTexts(value));
    },
  );
});
