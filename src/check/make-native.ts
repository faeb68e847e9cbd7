import type { DatabaseConnection } from '../postgres/connection.ts';
import { isTransient, sqlState } from '../postgres/sqlstate.ts';
import { transaction, type Queryable, statement } from '../postgres/statement.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Predictions } from '../inference/predictions.ts';
import type { Signature, Feature } from '../inference/signature.ts';
import type { Compiled, Part } from '../to-sql/compile.ts';
import { differences, type NativeAnswer, predictionsOf, type Reference } from '../to-sql/differences.ts';
import { decisionOf } from '../to-sql/answers.ts';
import type { NativeBody } from '../to-sql/render.ts';

/** Whether a version is compiled, with what that was proven on, or why not. Kept with the version. */
type NativeFacts =
  | { readonly parts: readonly Part[]; readonly evidence: { readonly rows: number } }
  | { readonly reason: string };

/** What is to become functions, the rows to prove them on, and what ONNX Runtime says of these rows. */
export type ToProve = {
  readonly compiled: Compiled;
  readonly rows: readonly JsonRow[];
  readonly reference: Reference | null;
};

/** The proof takes milliseconds. */
const PROOF_LIMIT = "set local statement_timeout = '60s'";
const CANCELED = '57014';

class Unequal extends Error {}

/**
 * Creates the compiled functions of a version, if they say the same as ONNX Runtime on every row of the proof. Else the version
 * is not native: that is no reason to reject it. Raises transient errors if the check is to be tried again.
 */
export async function makeNative(
  connection: DatabaseConnection,
  versionId: number,
  signature: Signature,
  { compiled, rows, reference }: ToProve,
  isTriedAgain: boolean,
): Promise<NativeFacts> {
  if ('refusal' in compiled) {
    if (compiled.transient === true && isTriedAgain) throw new Error(compiled.refusal);
    return { reason: compiled.refusal };
  }
  try {
    if (reference === null)
      return { reason: 'the check gave no answers to prove the compiled function by; it gives 2 million at most' };
    if (reference.rows.length === 0)
      return { reason: 'ONNX Runtime takes none of the rows to prove the compiled function on' };
    return await createProven(connection, versionId, signature, compiled.bodies, proofOf(rows, reference, signature));
  } catch (error) {
    if (error instanceof Unequal) return { reason: error.message };
    if (isTransient(error) || !(error instanceof Error)) throw error;
    if (sqlState(error) === CANCELED && isTriedAgain) throw error;
    return { reason: `the compiled function failed: ${error.message}` };
  }
}

type Proof = { readonly rows: readonly JsonRow[]; readonly predictions: Predictions };

function proofOf(rows: readonly JsonRow[], reference: Reference, signature: Signature): Proof {
  const predictions = predictionsOf(reference, rows.length, signature);
  return { rows: reference.rows.map((row) => rows[row] ?? {}), predictions };
}

function createProven(
  connection: DatabaseConnection,
  versionId: number,
  signature: Signature,
  bodies: Bodies,
  { rows, predictions }: Proof,
): Promise<NativeFacts> {
  const parts = Object.keys(bodies) as Part[];
  return connection.use((client) =>
    transaction(client, async () => {
      await client.query(PROOF_LIMIT);
      await createNative(client, ...nativeArguments(versionId, signature, bodies));
      const ask = (form: Form, some = rows): Promise<NativeAnswer[]> =>
        nativeAnswers(client, versionId, signature, parts, some, form);
      const hasTwo = bodies.score?.few !== undefined;
      const answers = await ask(hasTwo ? '_many' : '');
      const difference = differences(signature, predictions, answers);
      if (difference !== undefined) throw new Unequal(`the compiled function differs: ${difference}`);
      if (hasTwo) {
        checkSame(answers, 'its form for few rows', await ask('_few'));
        checkSame(answers.slice(0, 1), 'the function that chooses', await ask('', rows.slice(0, 1)));
      }
      return { parts, evidence: { rows: rows.length } };
    }),
  );
}

/** Refuses two forms that differ: an index may hold what one says while a query calls the other. The clock decides which is called. */
function checkSame(answers: readonly NativeAnswer[], what: string, others: readonly NativeAnswer[]): void {
  const row = answers.findIndex(({ score }, index) => !Object.is(score, others[index]?.score));
  if (row === -1) return;
  const [many, other] = [answers, others].map((said) => said[row]?.score ?? 'NULL');
  throw new Unequal(`the compiled function differs: row ${row + 1}: the score is ${many}, ${what} says ${other}`);
}

type Row = {
  readonly score: number | null;
  readonly label: number | null;
  readonly probabilities: readonly number[] | null;
};

/** A compiled score that has two forms is asked for each, whatever the age of the statement. */
type Form = '' | '_few' | '_many';

/** What the compiled functions of a version say of rows. What is not compiled is derived from the score. */
async function nativeAnswers(
  client: Queryable,
  versionId: number,
  signature: Signature,
  parts: readonly Part[],
  rows: readonly JsonRow[],
  form: Form,
): Promise<NativeAnswer[]> {
  const text = proofQuery(versionId, signature.features, parts, form);
  const values = [JSON.stringify(rows.map((row, index) => numbered(row, index, signature.features)))];
  const { rows: answers } = await client.query<Row>(text, values);
  return answers.map(completer(signature, parts));
}

function proofQuery(versionId: number, features: readonly Feature[], parts: readonly Part[], form: Form): string {
  const columns = features.map((feature, index) => `f${index} ${argumentType(feature)}`);
  const names = features.map((_, index) => `r.f${index}`).join(', ');
  const call = (part: Part, suffix: string): string =>
    parts.includes(part) ? `pgscore_models._v${versionId}${suffix}(${names})` : 'null';
  return (
    `select ${call('score', form)} as score, ${call('label', '_label')} as label, ${call('probabilities', '_probabilities')} as probabilities` +
    ` from jsonb_to_recordset($1) as r (n int, ${columns.join(', ')}) order by r.n`
  );
}

/** As pgscore_data._argument_type() has it. */
function argumentType({ type, width }: Feature): string {
  if (width > 1) return 'double precision[]';
  if (type === 'float32' || type === 'float64') return 'double precision';
  if (type === 'int32' || type === 'int64') return 'bigint';
  return type === 'bool' ? 'boolean' : 'text';
}

function numbered(row: JsonRow, index: number, features: readonly Feature[]): Record<string, unknown> {
  const cells = features.map(({ name }, feature) => [`f${feature}`, row[name]] as const);
  return { n: index, ...Object.fromEntries(cells) };
}

/** Adds to an answer what is not compiled, and follows from what is. */
function completer(signature: Signature, parts: readonly Part[]): (answer: Row) => NativeAnswer {
  if (signature.task === 'regression' || !(parts.includes('score') || parts.includes('probabilities')))
    return (answer) => answer;
  return signature.task === 'binary' ? binary(signature) : multiclass;
}

function multiclass({ label, probabilities }: Row): NativeAnswer {
  return { score: label === null ? null : (probabilities?.[label] ?? null), label, probabilities };
}

/** As pgscore_models._predict() has it. */
function binary(signature: Signature): (answer: Row) => NativeAnswer {
  const positive = signature.classLabels.indexOf(signature.positiveClass ?? '');
  const { relation, limit } = decisionOf(signature);
  return ({ score }) => {
    if (score === null) return { score, label: null, probabilities: null };
    const other = 1 - score;
    const near = Math.fround(score);
    return {
      score,
      label: near > limit || (near === limit && relation === '>=') ? positive : 1 - positive,
      probabilities: positive === 1 ? [other, score] : [score, other],
    };
  };
}

/** Creates the compiled functions of a version. Until it is ready nobody but the service may call them. */
const createNative = statement<[versionId: number, features: string, bodies: string], { _create_native: string }>(
  'create_native',
  'select pgscore_data._create_native($1, $2, $3)',
);

type Bodies = Partial<Record<Part, NativeBody>>;

/** As `createNative` takes them: node-pg would make a PostgreSQL array of the features. */
function nativeArguments(
  versionId: number,
  { features }: Signature,
  bodies: Bodies,
): Parameters<typeof createNative> extends [unknown, ...infer Values] ? Values : never {
  return [versionId, JSON.stringify(features), JSON.stringify(bodies)];
}
