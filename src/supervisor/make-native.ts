import type { Link } from '../db/link.ts';
import { isPassing } from '../db/sqlstate.ts';
import { transaction } from '../db/transaction.ts';
import type { Signature } from '../model/signature.ts';
import { compileApart } from '../native/compile-apart.ts';
import { differences } from '../native/differences.ts';
import type { Part } from '../native/parts.ts';
import { referenceOf, type Proof } from '../probe/proof.ts';
import { createNative, nativeArguments, type Bodies } from '../versions/create-native.ts';
import { nativeAnswers } from './native-answers.ts';

/** Whether a version is compiled, with what that was proven on, or why not. Kept with the version. */
export type NativeFacts =
  | { readonly parts: readonly Part[]; readonly evidence: { readonly rows: number } }
  | { readonly reason: string };

const PROOF_LIMIT = "set local statement_timeout = '20s'";

class Unequal extends Error {}

/**
 * Compiles a version and creates its functions, if they say the same as ONNX Runtime on every row of the proof. A model
 * for which that fails is served online and in batches: it is no reason to reject it.
 */
export async function makeNative(
  link: Link,
  versionId: number,
  bytes: Uint8Array,
  signature: Signature,
  proof: Proof | null,
): Promise<NativeFacts> {
  const compiled = await compileApart(bytes, signature);
  if ('refusal' in compiled) return { reason: compiled.refusal };
  if (proof === null) return { reason: 'the check had no rows to prove the compiled function on' };
  try {
    return await createProven(link, versionId, signature, compiled.bodies, proof);
  } catch (error) {
    if (error instanceof Unequal) return { reason: error.message };
    if (isPassing(error) || !(error instanceof Error)) throw error;
    return { reason: `the compiled function failed: ${error.message}` };
  }
}

function createProven(
  link: Link,
  versionId: number,
  signature: Signature,
  bodies: Bodies,
  proof: Proof,
): Promise<NativeFacts> {
  const parts = Object.keys(bodies) as Part[];
  return link.use((client) =>
    transaction(client, async () => {
      await client.query(PROOF_LIMIT);
      await createNative(client, ...nativeArguments(versionId, signature, bodies));
      const answers = await nativeAnswers(client, versionId, signature, parts, proof.rows);
      const difference = differences(signature, referenceOf(proof), answers);
      if (difference !== undefined) throw new Unequal(`the compiled function differs: ${difference}`);
      return { parts, evidence: { rows: proof.rows.length } };
    }),
  );
}
