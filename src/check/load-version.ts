import { type Queryable, statement } from '../postgres/statement.ts';
import { PgscoreError } from '../errors.ts';
import type { Signature } from '../inference/signature.ts';

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

const storedArtifact = statement<[versionId: number], { isServed: boolean; size: number; pieces: number }>(
  'stored_artifact',
  `select is_served as "isServed", sum(octet_length(bytes))::float8 as size, count(*)::int as pieces
     from pgscore_data.artifact where version_id = $1 group by is_served order by is_served`,
);

const artifactPiece = statement<[versionId: number, isServed: boolean, piece: number], { bytes: Buffer }>(
  'artifact_piece',
  'select bytes from pgscore_data.artifact where version_id = $1 and is_served = $2 and piece = $3',
);

/** The bytes of a version as they were deployed; undefined where it was dropped. */
export async function readOriginal(client: Queryable, versionId: number): Promise<Buffer | undefined> {
  return readPieces(client, versionId, (await storedArtifact(client, versionId)).at(0));
}

/** The bytes of a version as they are served; undefined where it was dropped. */
export async function readServed(client: Queryable, versionId: number): Promise<Buffer | undefined> {
  return readPieces(client, versionId, (await storedArtifact(client, versionId)).at(-1));
}

type Stored = { readonly isServed: boolean; readonly size: number; readonly pieces: number };

async function readPieces(client: Queryable, versionId: number, stored?: Stored): Promise<Buffer | undefined> {
  if (stored === undefined) return undefined;
  const whole = Buffer.allocUnsafe(stored.size);
  for (let piece = 0, at = 0; piece < stored.pieces; piece += 1) {
    const [row] = await artifactPiece(client, versionId, stored.isServed, piece);
    if (row === undefined) return undefined;
    at += row.bytes.copy(whole, at);
  }
  return whole;
}

/** Versions that calls of the service may ask for by an alias, champions first. Those that are compiled to SQL need no service. */
export const wantedVersions = statement<[], { versionId: number; bytes: number }>(
  'wanted_versions',
  `select v.version_id as "versionId", v.size_bytes::float8 as bytes
     from pgscore_data.alias a
     join pgscore_data.version v using (version_id)
     left join pgscore_data.execution e using (version_id)
    where v.state = 'ready' and e.native is not true
    group by v.version_id
    order by bool_or(a.alias = 'champion') desc, v.size_bytes`,
);
