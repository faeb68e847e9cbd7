import { expect, test } from '@jest/globals';

import { runCli } from '../commands/run-cli.ts';
import { classModel } from '../support/class-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes, deployModel } from '../support/deploy.ts';
import { classic, DataType, floats, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

/** Two classes, and no probability of either. */
const labelsOnly = onnxModel({
  metadata: { 'pgscore.features': '["x"]' },
  inputs: [tensorValue('x', [null, 1])],
  outputs: [tensorValue('label', [null], DataType.STRING)],
  nodes: [
    classic('LinearClassifier', ['x'], ['label', 'scores'], {
      coefficients: [-1, 1],
      intercepts: [0, 0],
      classlabels_strings: ['no', 'yes'],
    }),
  ],
  tensors: [floats('unused', [1], [0])],
});

async function described(model: string): Promise<Record<string, string>> {
  const { rows } = await alice.query('select * from pgscore.describe_model($1)', [model]);
  return Object.fromEntries(rows.map(({ property, value }) => [property, value]));
}

test('a version says its positive class, its threshold and what a NULL becomes', async () => {
  await deployBytes(ada, 'pass', classModel(2), {
    task: 'binary',
    class_labels: ['no', 'yes'],
    positive_class: 'no',
    threshold: 0.25,
    features: ['x'],
  });
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', tone: 'string', b: 'float32' }), {
    nulls: 'nan',
    null_values: { b: 1.5 },
  });
  const models = 'select model, positive_class, threshold, nulls from pgscore.models order by model';
  expect((await alice.query(models)).rows).toEqual([
    { model: 'pass', positive_class: 'no', threshold: 0.25, nulls: 'x error' },
    { model: 'sum', positive_class: null, threshold: null, nulls: 'a nan, tone error, b 1.5' },
  ]);
  expect(await described('pass')).toMatchObject({ 'positive class': 'no', threshold: '0.25', nulls: 'x error' });
});

test('a model whose first try was rejected is described by that', async () => {
  const tried = deployBytes(ada, 'first', classModel(2), { features: ['x', 'y'] });
  await expect(tried).rejects.toThrow('was rejected');
  expect(await described('first')).toMatchObject({ version: 'first@1', state: 'rejected', reason: expect.any(String) });
  const { exit, stdout } = await runCli(['models', 'first'], { url: database.url('alice') });
  expect({ exit, stdout }).toMatchObject({ exit: 0, stdout: expect.stringContaining('rejected') });
});

test('who waits for a version is warned of what the check noticed', async () => {
  const notices: (string | undefined)[] = [];
  ada.on('notice', ({ severity, message }) => notices.push(`${severity}: ${message}`));
  await deployModel(ada, 'counts', 'test/models/differing/catboost_poisson.onnx', { features: ['a', 'b', 'c'] });
  expect(notices).toEqual(['NOTICE: version "counts@1" is ready', expect.stringMatching(/^WARNING: CatBoost.*expect/)]);
});

test('a classifier that gives labels only says so, and refuses a class', async () => {
  await deployBytes(ada, 'labels', labelsOnly);
  expect(await described('labels')).toMatchObject({ outputs: 'label without probabilities: no, yes' });
  for (const execution of ['native', 'online']) {
    await alice.query(`select set_config('pgscore.execution', $1, false)`, [execution]);
    expect(await refusal(alice, `select score('labels', '{"x": 1}', class => 'yes')`)).toMatchObject({
      code: '22023',
      message: 'model "labels" gives labels without probabilities: it has no score',
    });
  }
});
