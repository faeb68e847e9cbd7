import type { Queryable } from '../postgres/statement.ts';
import { statement } from '../postgres/statement.ts';
import { PgscoreError } from '../errors.ts';
import type { Signature } from '../inference/signature.ts';
import { readServed } from './read-artifact.ts';

export type LoadedVersion = { readonly bytes: Uint8Array; readonly signature: Signature };

const readSignature = statement<[versionId: number], { signature: Signature }>(
  'read_signature',
  `select signature from pgscore_data.version where version_id = $1 and state = 'ready'`,
);

/** The graph of a version as it is served, and its signature. */
export async function loadVersion(client: Queryable, versionId: number): Promise<LoadedVersion> {
  const [row] = await readSignature(client, versionId);
  const bytes = await readServed(client, versionId);
  if (row === undefined || bytes === undefined) {
    throw new PgscoreError('version_missing', 'the version was dropped after the run was submitted', {
      remedy: 'Submit the run again with a version that pgscore.models lists.',
    });
  }
  return { bytes, signature: row.signature };
}
