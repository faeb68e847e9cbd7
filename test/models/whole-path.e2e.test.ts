import { describe, expect, test } from '@jest/globals';

import { ident } from '../../src/lib/ident.ts';
import { inlineExternalData } from '../../src/model/external-data.ts';
import type { JsonRow } from '../../src/model/json-rows.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes, submitDeploy } from '../support/deploy.ts';
import { besideGolden, goldenBytes, goldenModels, goldenRows, type GoldenModel } from '../support/golden-models.ts';
import { loadRows } from '../support/load-rows.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const TOLERANCE = 1e-5;

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

const deployable = (model: GoldenModel): Promise<Uint8Array> =>
  inlineExternalData(goldenBytes(model), (name) => besideGolden(model, name));

/** Deploys a model, loads its rows into a table and scores it; the predictions are in the order of the rows. */
async function predictionsOf(model: GoldenModel): Promise<JsonRow[]> {
  await deployBytes(ada, model.name, await deployable(model), model.deploy);
  const rows = goldenRows(model);
  await loadRows(alice, model.name, [model.key, ...model.features], rows);
  const run = await scoreTable(alice, model.name, model.name);
  expect(run).toMatchObject({ state: 'done', rows_done: String(rows.length), rows_failed: '0', published: true });
  const key = ident(model.key.name);
  const text = `select p.* from ${ident(`${model.name}_scores`)} p
    join jsonb_array_elements_text($1) with ordinality as k (key, n) on p.${key} = k.key::bigint order by k.n`;
  const keys = rows.map((row) => row[model.key.name]);
  return (await alice.query<JsonRow>(text, [JSON.stringify(keys)])).rows;
}

/** How far a number is from the framework's, as a share of the tolerance. */
function distance(actual: unknown, expected: unknown): number {
  const reference = Number(expected);
  return Math.abs(Number(actual) - reference) / (TOLERANCE * Math.max(1, Math.abs(reference)));
}

/** A label may differ only where the framework itself could hardly tell. */
function isCloseCall(row: JsonRow): boolean {
  const probabilities = Object.keys(row).filter((name) => name.startsWith('expected_probability_'));
  const [first = 1, second = 0] = probabilities.map((name) => Number(row[name])).toSorted((a, b) => b - a);
  return first - second <= 2 * TOLERANCE;
}

/** Differences of a prediction from the framework's that are not to be. */
function differences(prediction: JsonRow, row: JsonRow): string[] {
  return Object.entries(row).flatMap(([name, expected]) => {
    if (!name.startsWith('expected_') || expected === '') return [];
    const column = name === 'expected_value' ? 'score' : name.slice('expected_'.length);
    const actual = prediction[column];
    const wrong = column === 'label' ? actual !== expected && !isCloseCall(row) : !(distance(actual, expected) <= 1);
    return wrong ? [`${column}: ${String(actual)} instead of ${String(expected)}`] : [];
  });
}

describe('a scored table holds what the training framework predicted', () => {
  test.each(goldenModels.map((model) => [model.name, model] as const))('%s', async (_, model) => {
    const predictions = await predictionsOf(model);
    const rows = goldenRows(model);
    expect(predictions).toHaveLength(rows.length);
    expect(predictions.flatMap((prediction, index) => differences(prediction, rows[index] ?? {}))).toEqual([]);
  });
});

describe('a version deployed with the predictions of its framework', () => {
  const [model] = goldenModels;
  if (model === undefined) throw new Error('there are no models');

  test('is ready where it predicts the same', async () => {
    await deployBytes(ada, 'same', goldenBytes(model), { ...model.deploy, expect: goldenRows(model) });
    const { rows } = await alice.query(`select state, aliases from pgscore.models where model = 'same'`);
    expect(rows).toEqual([{ state: 'ready', aliases: ['champion'] }]);
  });

  test('is rejected where it does not, with the row and both numbers', async () => {
    const [first = {}, ...others] = goldenRows(model);
    const wrong = [{ ...first, expected_score: '0.5' }, ...others];
    await submitDeploy(ada, 'different', goldenBytes(model), { ...model.deploy, expect: wrong });
    const refused = await refusal(ada, `call pgscore.wait_for_version('different@1')`);
    expect(refused.message).toMatch(/row 1: expected_score is 0\.5, the exported model predicts 0\.\d+/);
    expect(refused.detail).toBe('Code: model_expectation_failed');
    expect(refused.hint).toMatch(/order of the features/);
    expect((await refusal(alice, `select pgscore._ready_version('different@1')`)).code).toBe('55000');
  });
});
