import { describe, expect, test } from '@jest/globals';
import { checkModel, type ProbeOptions, type ProbeReport } from '../../src/check/check-model.ts';
import type { PgscoreError } from '../../src/errors.ts';
import { loadModelSession } from '../../src/inference/load-model-session.ts';
import type { Signature } from '../../src/inference/signature.ts';
import { arrayBytes, arrayModels, featuresOf, vectorModels, type ArrayModel } from '../support/array-models.ts';
import { deployOptions } from '../support/golden-models.ts';

const SHAPES: Readonly<Record<string, Partial<Signature['features'][number]>[]>> = {
  tone: [
    { name: 'input_ids', type: 'int64', width: 0, shape: [null] },
    { name: 'attention_mask', type: 'int64', width: 0, shape: [null] },
  ],
  delay: [{ name: 'measurements', type: 'float32', width: 0, shape: [null, 3] }],
  cabin: [{ name: 'choices', type: 'string', width: 3 }],
  digit: [{ name: 'pixels', type: 'int32', element: 'uint8', width: 64, shape: [8, 8] }],
  rent: ['area', 'rooms', 'age', 'floor'].map((name) => ({ name, type: 'float32', width: 1 })),
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

    const session = await loadModelSession(served ?? arrayBytes(model), signature);
    const { score, errors } = await session.predictRows(model.rows.map((row) => featuresOf(model, row)));
    await session.release();
    expect([...errors]).toEqual([]);
    const digits = model.tolerance === undefined ? 5 : 2;
    expect([...score]).toEqual(scoresOf(model).map((value) => expect.closeTo(Number(value), digits)));
  });
});

describe('a model that gives a vector', () => {
  test.each(vectorModels.map((model) => [model.name, model] as const))(
    '%s says what its framework says of every row',
    async (_, model) => {
      const { signature, expectation, warnings } = await checkModel(arrayBytes(model), {
        ...deployOptions(model.deploy ?? {}),
        expect: model.rows,
      });
      const [first = {}] = model.rows;
      const { length: width } = first['expected_embedding'] as number[];
      expect(signature).toMatchObject({
        task: 'embedding',
        classLabels: [],
        valueNames: [],
        outputs: { values: [{ width }] },
      });
      expect(expectation?.rows).toBe(model.rows.length);
      expect(warnings).toEqual([]);
    },
  );

  const checked = (name: string, options: ProbeOptions): Promise<ProbeReport | PgscoreError> =>
    checkModel(arrayBytes({ name }), options).catch((error: unknown) => error as PgscoreError);

  test('is compared with the vector that is expected, number by number', async () => {
    const [encoder] = vectorModels;
    const [first = {}, ...others] = encoder?.rows ?? [];
    const [, ...rest] = first['expected_embedding'] as number[];
    const wrong = { ...first, expected_embedding: [0.9, ...rest] };
    expect(await checked('encoder', { expect: [wrong, ...others] })).toMatchObject({
      code: 'model_expectation_failed',
      message: expect.stringMatching(/^row 1: expected_embedding is 0\.9,/),
    });
    expect(await checked('encoder', { expect: [{ ...first, expected_embedding: rest }] })).toMatchObject({
      code: 'model_expectation_failed',
    });
  });

  test('of a name that says nothing is taken for targets, with a warning that names the task', async () => {
    const features = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'];
    const report = await checked('components', { features });
    expect(report).toMatchObject({
      signature: { task: 'multi_target', valueNames: ['target_1', 'target_2', 'target_3'] },
      warnings: [expect.stringContaining("task => 'embedding'")],
    });
  });

  test('for each token is refused, with how to pool', async () => {
    for (const task of [undefined, 'embedding'] as const) {
      expect(await checked('each_token', { task })).toMatchObject({
        code: 'model_outputs_unsupported',
        message: expect.stringContaining("'last_hidden_state' has a vector for each token"),
        remedy: expect.stringContaining('hidden.mean(dim=1)'),
      });
    }
  });

  test('has no class labels, names, threshold or logits', async () => {
    for (const options of [{ classLabels: ['a', 'b'] }, { targets: ['a'] }, { threshold: 0.5 }, { logits: true }])
      expect(await checked('encoder', { task: 'embedding', ...options })).toMatchObject({
        code: 'model_options_wrong',
      });
  });
});
