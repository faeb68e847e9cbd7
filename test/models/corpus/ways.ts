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

type Predicted = { label?: string; value?: number; score?: number; embedding?: number[]; labels?: string[] } & Partial<
  Record<'probabilities' | 'margins' | 'distances' | 'shares' | 'values', Record<string, unknown>>
>;

function ofPrediction({ kind, names }: CorpusModel, prediction: Predicted | null): Answer {
  const { label, value, score, probabilities, margins, distances, shares, values, labels, embedding } = prediction ?? {};
  const applies = kind === 'multilabel' ? names.map((name) => [name, labels?.includes(name)]) : [];
  return {
    ...defined({ label, value, score, embedding }),
    ...prefixed('probability_', probabilities ?? shares),
    ...prefixed('margin_', margins ?? distances),
    ...prefixed('label_', Object.fromEntries(applies) as Answer),
    ...values,
  };
}

function defined(answer: Answer): Answer {
  return Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== undefined));
}

function prefixed(prefix: string, values: Record<string, unknown> = {}): Answer {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]));
}

/** The corpus calls distances margins, and shares of a mixture probabilities. */
function renamed(row: Answer): Answer {
  const names = Object.entries(row).map(([name, value]) => [
    name.replace(/^distance_/, 'margin_').replace(/^share_/, 'probability_'),
    value,
  ]);
  return Object.fromEntries(names) as Answer;
}

async function column<T>(alice: Client, expression: string, table: string): Promise<T[]> {
  const text = `select ${expression} as answer from ${ident(table)} t order by t.id`;
  const { rows } = await alice.query<{ answer: T }>(text);
  return rows.map(({ answer }) => answer);
}

/** The call that gives a row's answer by itself, and which answer that is. */
function callOf(alice: Client, { name, kind, names }: CorpusModel): { call: string; answer: string } {
  const [first = ''] = names;
  const model = alice.escapeLiteral(name);
  const score = `pgscore.score(${model}, t)`;
  const ofFirst = `pgscore.score(${model}, t, class => ${alice.escapeLiteral(first)})`;
  const calls: Record<string, { call: string; answer: string }> = {
    binary: { call: score, answer: 'score' },
    anomaly: { call: score, answer: 'score' },
    ...(names.length === 2 && { margins: { call: score, answer: 'score' } }),
    regression: { call: score, answer: 'value' },
    quantiles: { call: score, answer: 'q0_5' },
    multi_target: { call: ofFirst, answer: first },
    multilabel: { call: ofFirst, answer: `probability_${first}` },
    embedding: { call: `pgscore.embed(${model}, t)`, answer: 'embedding' },
  };
  return calls[kind] ?? { call: `pgscore.classify(${model}, t)`, answer: 'label' };
}

const run: Way = async (alice, { name }, table) => {
  const { state, rows_failed: failed, error } = await scoreTable(alice, name, ident(table), { target: `${name}_out` });
  if (state !== 'done' || failed !== '0') throw new Error(`the run is ${state}, ${failed} rows failed: ${error ?? ''}`);
  const text = `select * from ${ident(`${name}_out`)} order by id`;
  const { rows } = await alice.query<Answer>(text);
  return rows.map((row) => ({ ...renamed(row), value: row['score'] }));
};

const predict: Way = async (alice, model, table) => {
  const text = `pgscore.predict(${alice.escapeLiteral(model.name)}, t)`;
  return (await column<Predicted>(alice, text, table)).map((given) => ofPrediction(model, given));
};

const predictJson: Way = async (alice, model, table) => {
  const text = `pgscore.predict(${alice.escapeLiteral(model.name)}, to_jsonb(t))`;
  return (await column<Predicted>(alice, text, table)).map((given) => ofPrediction(model, given));
};

const score: Way = async (alice, model, table) => {
  const { call, answer } = callOf(alice, model);
  return (await column(alice, call, table)).map((given) => ({ [answer]: given }));
};

/** The function of a bound table gives the same, or all of several values. */
const bound: Way = async (alice, model, table) => {
  await alice.query('select pgscore.bind($1, $2::text::regclass)', [model.name, ident(table)]);
  const answers = await column(alice, `pgscore_models.${ident(model.name)}(t)`, table);
  const { answer } = callOf(alice, model);
  return answers.map((given) => (isPrediction(given) ? ofPrediction(model, given) : { [answer]: given }));
};

function isPrediction(given: unknown): given is Predicted {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

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
      // The margin of each class is in predict() alone.
      if (actual === undefined) return whole && !/^(score$|margin_)/.test(key) ? [`row ${index + 1} has no ${key}`] : [];
      return isRight(key, actual, reference, row) ? [] : [`row ${index + 1}: ${key} is ${JSON.stringify(actual)}, not ${String(reference)}`];
    }),
  );
}

function isRight(key: string, actual: unknown, reference: unknown, row: JsonRow): boolean {
  if (key === 'embedding') return isNearVector(numbersIn(actual), numbersIn(reference));
  if (/^label(_|$)/.test(key)) return textOf(actual) === textOf(reference).toLowerCase() || textOf(actual) === reference || isCloseCall(row);
  return isNear(Number(actual), Number(reference));
}

function isNear(actual: number, reference: number): boolean {
  return Math.abs(actual - reference) <= TOLERANCE * Math.max(1, Math.abs(reference));
}

function isNearVector(actual: readonly number[], reference: readonly number[]): boolean {
  return actual.length === reference.length && actual.every((number, at) => isNear(number, reference[at] ?? Number.NaN));
}

/** An array, as a driver reads it or as PostgreSQL or pgvector write it. */
function numbersIn(value: unknown): number[] {
  if (Array.isArray(value)) return value.map(Number);
  return typeof value === 'string' ? value.slice(1, -1).split(',').map(Number) : [];
}

/** A boolean is written in two ways. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A label may differ where the two greatest numbers are near each other, and not at a tie. */
function isCloseCall(row: JsonRow): boolean {
  const numbers = Object.entries(row).filter(([name]) => /^expected_(probability|margin)_/.test(name));
  const [first = 1, second = 0] = numbers.map(([, value]) => Number(value)).toSorted((a, b) => b - a);
  return first > second && first - second <= 2 * TOLERANCE;
}
