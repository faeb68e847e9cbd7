import type { Client } from 'pg';
import type { JsonRow } from '../../../src/inference/json-rows.ts';
import { ident } from '../../../src/lib/text.ts';
import { scoreTable } from '../../support/run.ts';
import type { CorpusModel } from './corpus.ts';

const TOLERANCE = 1e-5;

/** What a way says of a row, by the names that the answers have in the corpus. */
export type Answer = Record<string, unknown>;

/** What a way says of each row, in the order of the keys. */
type Way = (alice: Client, model: CorpusModel, table: string) => Promise<Answer[]>;

type Predicted = { label?: string; value?: number; score?: number; probabilities?: Record<string, number> };

function ofPrediction(prediction: Predicted | null): Answer {
  const { label, value, probabilities } = prediction ?? {};
  return { label, value, ...prefixed('probability', probabilities ?? {}) };
}

function prefixed(prefix: string, values: Record<string, unknown>): Answer {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}_${name}`, value]));
}

async function column<T>(alice: Client, expression: string, table: string): Promise<T[]> {
  const text = `select ${expression} as answer from ${ident(table)} t order by t.id`;
  const { rows } = await alice.query<{ answer: T }>(text);
  return rows.map(({ answer }) => answer);
}

/** score(), or classify() of what has no score. */
function single({ kind }: CorpusModel): 'score' | 'label' | 'value' {
  if (kind === 'binary') return 'score';
  return kind === 'regression' ? 'value' : 'label';
}

const run: Way = async (alice, { name }, table) => {
  const { state, rows_failed: failed, error } = await scoreTable(alice, name, ident(table), { target: `${name}_out` });
  if (state !== 'done' || failed !== '0') throw new Error(`the run is ${state}, ${failed} rows failed: ${error ?? ''}`);
  const text = `select * from ${ident(`${name}_out`)} order by id`;
  const { rows } = await alice.query<Answer>(text);
  return rows.map((row) => ({ ...row, value: row['score'] }));
};

const predict: Way = async (alice, { name }, table) => {
  const text = `pgscore.predict(${alice.escapeLiteral(name)}, t)`;
  return (await column<Predicted>(alice, text, table)).map(ofPrediction);
};

const predictJson: Way = async (alice, { name }, table) => {
  const text = `pgscore.predict(${alice.escapeLiteral(name)}, to_jsonb(t))`;
  return (await column<Predicted>(alice, text, table)).map(ofPrediction);
};

const score: Way = async (alice, model, table) => {
  const what = single(model);
  const call = what === 'label' ? 'classify' : 'score';
  const text = `pgscore.${call}(${alice.escapeLiteral(model.name)}, t)`;
  return (await column(alice, text, table)).map((answer) => ({ [what]: answer }));
};

const bound: Way = async (alice, model, table) => {
  await alice.query('select pgscore.bind($1, $2::text::regclass)', [model.name, ident(table)]);
  const answers = await column(alice, `pgscore_models.${ident(model.name)}(t)`, table);
  return answers.map((answer) => ({ [single(model)]: answer }));
};

function online(way: Way): Way {
  return async (alice, model, table) => {
    await alice.query('set pgscore.execution = online');
    try {
      return await way(alice, model, table);
    } finally {
      await alice.query('reset pgscore.execution');
    }
  };
}

/** Every way to the predictions of a model; natively compiled ones are asked of the service, too. */
export function waysOf(execution: 'native' | 'online'): Record<string, Way> {
  const ways = { run, predict, 'predict of jsonb': predictJson, score, bound };
  return execution === 'native' ? { ...ways, 'predict online': online(predict) } : ways;
}

/** Ways that have to give all that the framework gave. */
export const WHOLE = new Set(['run', 'predict', 'predict of jsonb', 'predict online']);

/** How the answers of a way differ from the framework's, on every row; `whole`: it has to give each of them. */
export function differences(answers: readonly Answer[], rows: readonly JsonRow[], whole: boolean): string[] {
  if (answers.length !== rows.length) return [`${answers.length} answers for ${rows.length} rows`];
  return rows.flatMap((row, index) =>
    Object.entries(row).flatMap(([name, reference]) => {
      if (!name.startsWith('expected_') || reference === '') return [];
      const key = name.slice('expected_'.length);
      const actual = answers[index]?.[key];
      if (actual === undefined) return whole && key !== 'score' ? [`row ${index + 1} has no ${key}`] : [];
      return isRight(key, actual, reference, row) ? [] : [`row ${index + 1}: ${key} is ${JSON.stringify(actual)}, not ${String(reference)}`];
    }),
  );
}

function isRight(key: string, actual: unknown, reference: unknown, row: JsonRow): boolean {
  if (key.startsWith('label')) return String(actual) === String(reference) || isCloseCall(row);
  const number = Number(reference);
  return Math.abs(Number(actual) - number) <= TOLERANCE * Math.max(1, Math.abs(number));
}

/** A label may differ where the two greatest numbers are near each other, and not at a tie. */
function isCloseCall(row: JsonRow): boolean {
  const numbers = Object.entries(row).filter(([name]) => /^expected_(probability|margin)_/.test(name));
  const [first = 1, second = 0] = numbers.map(([, value]) => Number(value)).toSorted((a, b) => b - a);
  return first > second && first - second <= 2 * TOLERANCE;
}
