import type { Client } from 'pg';
import type { JsonRow } from '../../../src/inference/json-rows.ts';
import { ident } from '../../../src/lib/text.ts';
import { scoreTable } from '../../support/run.ts';
import type { CorpusModel } from './corpus.ts';

const TOLERANCE = 1e-5;
/** Kinds whose score() takes a name, and whose typed function gives all values. */
const SEVERAL = new Set(['multi_target', 'multilabel']);

/** What a way says of a row, by the names that the answers have in the corpus. */
export type Answer = Record<string, unknown>;

/** What a way says of each row, in the order of the keys. */
type Way = (alice: Client, model: CorpusModel, table: string) => Promise<Answer[]>;

type Predicted = {
  label?: string;
  labels?: string[];
  value?: number;
  values?: Record<string, number>;
  score?: number;
  probabilities?: Record<string, number>;
};

function ofPrediction({ names, kind }: CorpusModel): (prediction: Predicted | null) => Answer {
  return (prediction) => {
    const { label, labels, value, values, probabilities } = prediction ?? {};
    const applies = kind === 'multilabel' ? names.map((name) => [`label_${name}`, Number(labels?.includes(name))]) : [];
    return {
      label,
      value,
      ...prefixed('value', renamed(kind, values ?? {})),
      ...prefixed('probability', probabilities ?? {}),
      ...Object.fromEntries(applies),
    };
  };
}

/** Quantile 0.1 is called q0_1. */
function renamed(kind: string, values: Record<string, unknown>): Record<string, unknown> {
  if (kind !== 'quantiles') return values;
  const level = (name: string): string => name.replace(/^q0_/, '0.');
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [level(name), value]));
}

function prefixed(prefix: string, values: Record<string, unknown>): Answer {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}_${name}`, value]));
}

async function column<T>(alice: Client, expression: string, table: string): Promise<T[]> {
  const text = `select ${expression} as answer from ${ident(table)} t order by t.id`;
  const { rows } = await alice.query<{ answer: T }>(text);
  return rows.map(({ answer }) => answer);
}

/** score(), or classify() of what has no score; of several values the first. */
function single({ kind, names }: CorpusModel): string {
  if (kind === 'multi_target') return `value_${names[0]}`;
  if (kind === 'multilabel') return `probability_${names[0]}`;
  if (kind === 'quantiles') return `value_${names[Math.floor(names.length / 2)]}`;
  if (kind === 'binary') return 'score';
  return kind === 'regression' ? 'value' : 'label';
}

/** Whether a label applies, as the corpus writes it. */
function labelled(row: Answer): Answer {
  const labels = Object.entries(row).filter(([, value]) => typeof value === 'boolean');
  return Object.fromEntries(labels.map(([name, value]) => [name, Number(value)]));
}

const run: Way = async (alice, { name, kind }, table) => {
  const { state, rows_failed: failed, error } = await scoreTable(alice, name, ident(table), { target: `${name}_out` });
  if (state !== 'done' || failed !== '0') throw new Error(`the run is ${state}, ${failed} rows failed: ${error ?? ''}`);
  const text = `select * from ${ident(`${name}_out`)} order by id`;
  const { rows } = await alice.query<Answer>(text);
  return rows.map((row) => ({
    ...row,
    ...prefixed('value', renamed(kind, row)),
    ...labelled(row),
    value: row['score'],
  }));
};

const predict: Way = async (alice, model, table) => {
  const text = `pgscore.predict(${alice.escapeLiteral(model.name)}, t)`;
  return (await column<Predicted>(alice, text, table)).map(ofPrediction(model));
};

const predictJson: Way = async (alice, model, table) => {
  const text = `pgscore.predict(${alice.escapeLiteral(model.name)}, to_jsonb(t))`;
  return (await column<Predicted>(alice, text, table)).map(ofPrediction(model));
};

const score: Way = async (alice, model, table) => {
  const what = single(model);
  const call = what === 'label' ? 'classify' : 'score';
  const named = SEVERAL.has(model.kind) ? `, class => ${alice.escapeLiteral(model.names[0] ?? '')}` : '';
  const text = `pgscore.${call}(${alice.escapeLiteral(model.name)}, t${named})`;
  return (await column(alice, text, table)).map((answer) => ({ [what]: answer }));
};

const bound: Way = async (alice, model, table) => {
  await alice.query('select pgscore.bind($1, $2::text::regclass)', [model.name, ident(table)]);
  const answers = await column(alice, `pgscore_models.${ident(model.name)}(t)`, table);
  if (SEVERAL.has(model.kind)) return (answers as Predicted[]).map(ofPrediction(model));
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
