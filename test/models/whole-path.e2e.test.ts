import { beforeAll, describe, expect, test } from '@jest/globals';
import { ident } from '../../src/lib/text.ts';
import { inlineExternalData } from '../../src/onnx/external-data.ts';
import type { JsonRow } from '../../src/inference/json-rows.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes, submitDeploy } from '../support/deploy.ts';
import { besideGolden, goldenBytes, goldenModels, goldenRows, type GoldenModel } from '../support/golden-models.ts';
import { loadRows } from '../support/load-rows.ts';
import { oneIn } from '../support/night.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const TOLERANCE = 1e-5;

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);
await superuser.query('grant usage on schema alice to pgscore_owner');

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

/** A label may differ only where the framework itself could hardly tell; at a tie it can. */
function isCloseCall(row: JsonRow): boolean {
  const probabilities = Object.keys(row).filter((name) => name.startsWith('expected_probability_'));
  const [first = 1, second = 0] = probabilities.map((name) => Number(row[name])).toSorted((a, b) => b - a);
  return first > second && first - second <= 2 * TOLERANCE;
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

type Answer = { key: string; score: number | null; label: string | null; probabilities: Record<string, number> | null };

/** What a way says of every committed row of a model, in the order of the keys. */
async function answers({ key }: GoldenModel, from: string, columns: Columns): Promise<Answer[]> {
  const { score, label, probabilities } = columns;
  const text = `select t.${ident(key.name)}::text as key, ${score} as score, ${label} as label, ${probabilities} as probabilities
    from ${ident(from)} t order by 1`;
  return (await alice.query<Answer>(text)).rows;
}

type Columns = { readonly score: string; readonly label: string; readonly probabilities: string };

const NOTHING: Columns = { score: 'null::float8', label: 'null::text', probabilities: 'null::jsonb' };

/** What the run over the table said: every class has a column of its own. */
function stored({ task, class_labels: labels }: GoldenModel): Columns {
  if (task === 'regression') return { ...NOTHING, score: 't.score' };
  const members = labels.map((label) => `${alice.escapeLiteral(label)}, t.${ident(`probability_${label}`)}`);
  const probabilities = `jsonb_build_object(${members.join(', ')})`;
  return { score: task === 'multiclass' ? NOTHING.score : 't.score', label: 't.label', probabilities };
}

/** score(), classify() and all that predict() gives. */
function called({ name, task }: GoldenModel): Columns {
  const literal = alice.escapeLiteral(name);
  const score = `pgscore.score(${literal}, t)`;
  if (task === 'regression') return { ...NOTHING, score };
  return {
    score: task === 'multiclass' ? NOTHING.score : score,
    label: `pgscore.classify(${literal}, t)`,
    probabilities: `pgscore.predict(${literal}, t) -> 'probabilities'`,
  };
}

/** Rows whose answers differ by more than the design allows; a label may, where the score is near a tie. */
function differing(some: readonly Answer[], others: readonly Answer[]): unknown[] {
  return some.flatMap((one, index) => {
    const other = others[index];
    if (other === undefined || one.key !== other.key) return [{ one, other }];
    const distance = Math.abs((one.score ?? 0) - 0.5);
    const sameLabel = one.label === other.label || (distance > 0 && distance <= TOLERANCE);
    return sameLabel && areNear(one.score, other.score) && haveNearProbabilities(one, other) ? [] : [{ one, other }];
  });
}

function areNear(one: number | null, other: number | null): boolean {
  return one === null || other === null ? one === other : distance(other, one) <= 1;
}

function haveNearProbabilities(one: Answer, other: Answer): boolean {
  const [some, others] = [one.probabilities ?? {}, other.probabilities ?? {}];
  const classes = Object.keys(some);
  if (classes.length !== Object.keys(others).length) return false;
  return classes.every((label) => areNear(some[label] ?? null, others[label] ?? null));
}

describe.each(oneIn(4, goldenModels).map((model) => [model.name, model] as const))('%s', (_, model) => {
  const rows = goldenRows(model);
  let predictions: JsonRow[];

  beforeAll(async () => {
    predictions = await predictionsOf(model);
  });

  test('a scored table holds what the training framework predicted', () => {
    expect(predictions).toHaveLength(rows.length);
    expect(predictions.flatMap((prediction, index) => differences(prediction, rows[index] ?? {}))).toEqual([]);
  });

  test('batch, online, native and bound agree on every committed row, and on the probability of every class', async () => {
    const { rows: ways } = await alice.query<{ native: boolean; not_native: string | null }>(
      `select execution like '%native' as native, not_native from pgscore.models where model = $1`,
      [model.name],
    );
    expect(ways[0]).toEqual({ native: true, not_native: null });

    const columns = called(model);
    await alice.query('set pgscore.execution = online');
    const online = await answers(model, model.name, columns);
    await alice.query('set pgscore.execution = native');
    const native = await answers(model, model.name, columns);
    await alice.query('reset pgscore.execution');
    await alice.query('select pgscore.bind($1, $2::text::regclass)', [model.name, ident(model.name)]);
    const typed = `pgscore_models.${ident(model.name)}(t)`;
    const bound = await answers(
      model,
      model.name,
      model.task === 'multiclass' ? { ...columns, label: typed } : { ...columns, score: typed },
    );
    const batch = await answers(model, `${model.name}_scores`, stored(model));

    expect(batch).toHaveLength(rows.length);
    const classes = model.task === 'regression' ? [] : model.class_labels;
    for (const answer of [batch[0], online[0], native[0], bound[0]]) {
      expect(Object.keys(answer?.probabilities ?? {}).toSorted()).toEqual(classes.toSorted());
    }
    expect(differing(batch, online)).toEqual([]);
    expect(differing(batch, native)).toEqual([]);
    expect(differing(batch, bound)).toEqual([]);
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
