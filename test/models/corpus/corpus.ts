import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import type { CheckOptions } from '../../../src/check/options.ts';
import type { JsonRow } from '../../../src/inference/json-rows.ts';

/** Another folder than this one may be tried: PGSCORE_CORPUS_FOLDER=../corpus. */
const FOLDER = process.env['PGSCORE_CORPUS_FOLDER'] ?? fileURLToPath(new URL('.', import.meta.url));

/** One entry of corpus.json: what make_corpus.py made. */
export type CorpusModel = {
  name: string;
  framework: string;
  exporter: string;
  estimator: string;
  export: string;
  kind: string;
  features: { name: string; type: string }[];
  /** The classes, targets, labels or quantiles, in the order of the columns. */
  names: string[];
  expected: string[];
  deploy: Record<string, unknown>;
  remark: string;
  /** What the export computes otherwise than its framework; '' where it does not. */
  differs: string;
};

/** What a deploy of a model comes to. */
export type Verdict = Ready | { execution: 'refused'; code: string; reason: string; remedy: string };
export type Ready = { execution: 'native' | 'online'; task: string; outputs: string; notNative?: string };

export const corpus = json<CorpusModel[]>('corpus.json');

export function verdicts(): Record<string, Verdict> {
  return json<Record<string, Verdict>>('verdicts.json');
}

function json<T>(file: string): T {
  return JSON.parse(readFileSync(`${FOLDER}/${file}`, 'utf8')) as T;
}

export function corpusBytes({ name }: CorpusModel): Uint8Array {
  return readFileSync(`${FOLDER}/models/${name}.onnx`);
}

/** The features and the framework's answers, each cell a text. */
export function corpusRows({ name }: CorpusModel): JsonRow[] {
  return parse(gunzipSync(readFileSync(`${FOLDER}/models/${name}.csv.gz`)), { columns: true }) as JsonRow[];
}

/** The options of a deploy as src/check takes them: in SQL they are written with underscores. */
export function deployOptions({ deploy }: CorpusModel): CheckOptions {
  const camel = (name: string): string => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(deploy).map(([name, value]) => [camel(name), value]));
}

/** The rows as a deploy takes them for `expect`, where an array is one of JSON. */
export function expectedRows(model: CorpusModel): JsonRow[] {
  const columns = model.features.filter(({ type }) => type.endsWith(']')).map(({ name }) => name);
  const arrays = new Set([...columns, 'expected_embedding']);
  return corpusRows(model).map((row) => {
    const cells = Object.entries(row).map(([name, cell]) => [name, arrays.has(name) ? arrayIn(cell) : cell] as const);
    return Object.fromEntries(cells);
  });
}

function arrayIn(cell: unknown): unknown {
  return typeof cell === 'string' ? JSON.parse(cell.replaceAll('{', '[').replaceAll('}', ']')) : cell;
}

const TASKS: Record<string, readonly string[]> = { margins: ['binary', 'multiclass'] };

/** Whether a version is taken for what it is. */
export function fits({ kind }: CorpusModel, { task }: Ready): boolean {
  return (TASKS[kind] ?? [kind]).includes(task);
}
