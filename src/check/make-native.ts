import type { Link } from '../postgres/connection.ts';
import { isPassing, sqlState } from '../postgres/sqlstate.ts';
import { transaction } from '../postgres/transaction.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Predictions } from '../inference/predictions.ts';
import type { Signature } from '../inference/signature.ts';
import type { Compiled } from '../to-sql/compiled.ts';
import { differences, type NativeAnswer } from '../to-sql/differences.ts';
import type { Part } from '../to-sql/parts.ts';
import { predictionsOf, type Reference } from './reference.ts';
import { createNative, nativeArguments, type Bodies } from './create-native.ts';
import { nativeAnswers, type Form } from './native-answers.ts';

/** Whether a version is compiled, with what that was proven on, or why not. Kept with the version. */
export type NativeFacts =
  | { readonly parts: readonly Part[]; readonly evidence: { readonly rows: number } }
  | { readonly reason: string };

/** What becomes functions, and what they have to say of these rows. */
export type ToProve = {
  readonly compiled: Compiled;
  readonly rows: readonly JsonRow[];
  readonly reference: Reference | null;
};

/** For milliseconds of work, by the clock. */
const PROOF_LIMIT = "set local statement_timeout = '60s'";
const CANCELED = '57014';

class Unequal extends Error {}

/**
 * Creates the compiled functions of a version, if they say the same as ONNX Runtime on every row of the proof. A model
 * for which that fails is served online and in batches: it is no reason to reject it. Raises what another try may mend,
 * where there is to be one.
 */
export async function makeNative(
  link: Link,
  versionId: number,
  signature: Signature,
  { compiled, rows, reference }: ToProve,
  isTriedAgain: boolean,
): Promise<NativeFacts> {
  if ('refusal' in compiled) {
    if (compiled.passing === true && isTriedAgain) throw new Error(compiled.refusal);
    return { reason: compiled.refusal };
  }
  try {
    if (reference === null)
      return { reason: 'the check gave no answers to prove the compiled function by; it gives 2 million at most' };
    if (reference.rows.length === 0)
      return { reason: 'ONNX Runtime takes none of the rows to prove the compiled function on' };
    return await createProven(link, versionId, signature, compiled.bodies, proofOf(rows, reference, signature));
  } catch (error) {
    if (error instanceof Unequal) return { reason: error.message };
    if (isPassing(error) || !(error instanceof Error)) throw error;
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
  link: Link,
  versionId: number,
  signature: Signature,
  bodies: Bodies,
  { rows, predictions }: Proof,
): Promise<NativeFacts> {
  const parts = Object.keys(bodies) as Part[];
  return link.use((client) =>
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

/** Which of two forms answers hangs on the clock: an index may hold what one says, and be asked for what the other does. */
function checkSame(answers: readonly NativeAnswer[], what: string, others: readonly NativeAnswer[]): void {
  const row = answers.findIndex(({ score }, index) => !Object.is(score, others[index]?.score));
  if (row === -1) return;
  const [many, other] = [answers, others].map((said) => said[row]?.score ?? 'NULL');
  throw new Unequal(`the compiled function differs: row ${row + 1}: the score is ${many}, ${what} says ${other}`);
}
