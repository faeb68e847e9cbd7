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

/** The driver reads bytea as text, and dies of 256 MB in one piece. */
const SLICE_BYTES = 8 * 2 ** 20;

type Slice = { slice: Buffer; size: number };
type ReadSlice = (client: Queryable, versionId: number, from: number, bytes: number) => Promise<readonly Slice[]>;

const originalSlice = statement<[versionId: number, from: number, bytes: number], Slice>(
  'original_slice',
  'select substr(original, $2, $3) as slice, octet_length(original) as size from pgscore_data.artifact where version_id = $1',
);

const servedSlice = statement<[versionId: number, from: number, bytes: number], Slice>(
  'served_slice',
  `select substr(coalesce(served, original), $2, $3) as slice, octet_length(coalesce(served, original)) as size
     from pgscore_data.artifact where version_id = $1`,
);

/** The bytes of a version as they were deployed; undefined where it was dropped. */
export function readOriginal(client: Queryable, versionId: number): Promise<Buffer | undefined> {
  return readSlices(client, versionId, originalSlice);
}

/** The bytes of a version as they are served; undefined where it was dropped. */
export function readServed(client: Queryable, versionId: number): Promise<Buffer | undefined> {
  return readSlices(client, versionId, servedSlice);
}

async function readSlices(client: Queryable, versionId: number, read: ReadSlice): Promise<Buffer | undefined> {
  const slices: Buffer[] = [];
  for (let at = 0, size = 1; at < size;) {
    const [row] = await read(client, versionId, at + 1, SLICE_BYTES);
    if (row === undefined) return undefined;
    slices.push(row.slice);
    at += row.slice.length;
    size = row.size;
  }
  return Buffer.concat(slices);
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
