import type { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import { batchOfRows, type JsonRow } from '../../src/inference/json-rows.ts';
import type { Predictions } from '../../src/inference/predictions.ts';
import { loadModelSession } from '../../src/inference/load-model-session.ts';
import type { Feature, Signature } from '../../src/inference/signature.ts';
import type { NativeProgram } from '../../src/to-sql/answers.ts';
import { compileNative } from '../../src/to-sql/compile.ts';
import { type NativeAnswer, differences } from '../../src/to-sql/differences.ts';
import { proofRows } from '../../src/to-sql/proof-rows.ts';
import { renderNative } from '../../src/to-sql/render.ts';
import { checkModel, type ProbeOptions } from '../../src/check/check-model.ts';

const WANTED = { score: 'double precision', label: 'integer', probabilities: 'double precision[]' } as const;
const COLUMN = {
  float32: 'double precision',
  float64: 'double precision',
  int32: 'bigint',
  int64: 'bigint',
  bool: 'boolean',
  string: 'text',
} as const;

let made = 0;

/** A compiled version in a database. */
export type Compiled = {
  readonly signature: Signature;
  readonly program: NativeProgram;
  readonly served: Uint8Array;
  readonly languages: Record<keyof typeof WANTED, string>;
  /** The name of the function that gives a score. */
  readonly scorer: string;
  answers(rows: readonly JsonRow[]): Promise<NativeAnswer[]>;
  /** Whether the score has a form of its own for few rows, and what that says. */
  readonly hasFew: boolean;
  fewAnswers(rows: readonly JsonRow[]): Promise<(number | null)[]>;
};

/** Checks and compiles a model, and makes its three functions. */
export async function compiled(client: Client, bytes: Uint8Array, options: ProbeOptions = {}): Promise<Compiled> {
  const { served, signature } = await checkModel(bytes, options);
  return compiledAs(client, served ?? bytes, signature);
}

export async function compiledAs(client: Client, served: Uint8Array, signature: Signature): Promise<Compiled> {
  const program = compileNative(served, signature);
  made += 1;
  const name = `native_${made}`;
  const languages = { score: '', label: '', probabilities: '' };
  const types = signature.features.map(columnType).join(', ');
  const make = async (suffix: string, result: string, language: string, body: string): Promise<void> => {
    const create = `create function ${ident(`${name}_${suffix}`)}(${types}) returns ${result}
      language ${language} immutable parallel safe as ${client.escapeLiteral(body)}`;
    await client.query(create);
  };
  let hasFew = false;
  for (const [wanted, result] of Object.entries(WANTED) as [keyof typeof WANTED, string][]) {
    const { language, body, few } = renderNative(program, wanted, (index) => `$${index + 1}`);
    languages[wanted] = language;
    await make(wanted, result, language, body);
    if (few !== undefined) await make('few', result, language, few);
    hasFew ||= few !== undefined;
  }
  const answers = (rows: readonly JsonRow[]) =>
    answersFrom<NativeAnswer>(client, name, signature, rows, Object.keys(WANTED));
  const fewAnswers = async (rows: readonly JsonRow[]) =>
    (await answersFrom<{ few: number | null }>(client, name, signature, rows, ['few'])).map(({ few }) => few);
  return { signature, program, served, languages, scorer: `${name}_score`, answers, hasFew, fewAnswers };
}

function columnType({ type, width }: Feature): string {
  return `${COLUMN[type]}${width > 1 ? '[]' : ''}`;
}

async function answersFrom<Answer extends object>(
  client: Client,
  name: string,
  signature: Signature,
  rows: readonly JsonRow[],
  wanted: readonly string[],
): Promise<Answer[]> {
  const { features } = signature;
  const args = features.map((_, index) => `f${index}`);
  const call = (part: string) => `${name}_${part}(${args.join(', ')}) as ${part}`;
  const columns = features.map((feature, index) => `f${index} ${columnType(feature)}`);
  const select = `select ${wanted.map(call).join(', ')}
    from jsonb_to_recordset($1) as r(n integer, ${columns.join(', ')}) order by n`;
  const values = rows.map((row, n) => ({
    n,
    ...Object.fromEntries(features.map((feature, index) => [`f${index}`, cell(feature, row[feature.name])])),
  }));
  return (await client.query<Answer>(select, [JSON.stringify(values)])).rows;
}

/** A blank number is NULL, as it is in a CSV file. */
function cell({ type }: Feature, value: unknown): unknown {
  if (value === '' && type !== 'string') return null;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

export async function reference(
  { served, signature }: Pick<Compiled, 'served' | 'signature'>,
  rows: readonly JsonRow[],
): Promise<Predictions> {
  const session = await loadModelSession(served, signature);
  const { batch, unread } = batchOfRows(signature.features, rows);
  const predictions = await session.predict(batch, unread);
  await session.release();
  return predictions;
}

/** The first difference from ONNX Runtime over these rows and the rows of the proof, or between a score and its form for few rows. */
export async function firstDifference(version: Compiled, rows: readonly JsonRow[] = []): Promise<string | undefined> {
  const all = [...rows, ...proofRows(version.program, version.signature)];
  const [expected, actual] = [await reference(version, all), await version.answers(all)];
  const found = differences(version.signature, expected, actual);
  const row = /^row (\d+)/.exec(found ?? '')?.[1];
  if (row !== undefined) return `${found} for ${JSON.stringify(all[Number(row) - 1])}`;
  return found ?? (version.hasFew ? formDifference(actual, await version.fewAnswers(all)) : undefined);
}

function formDifference(actual: readonly NativeAnswer[], few: readonly (number | null)[]): string | undefined {
  const row = actual.findIndex(({ score }, index) => !Object.is(score, few[index]));
  return row === -1
    ? undefined
    : `row ${row + 1}: ${actual[row]?.score ?? 'NULL'} of many, ${few[row] ?? 'NULL'} of few`;
}
