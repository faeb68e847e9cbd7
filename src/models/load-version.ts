import { type Queryable, statement } from '../postgres/statement.ts';
import { PgscoreError } from '../errors.ts';
import type { Signature } from '../inference/signature.ts';
import { writeModelFile, type ModelFile } from '../onnx/model-folder.ts';

/** The graph of a version as it is served, in a file, and its signature. */
export type LoadedVersion = ModelFile & { readonly signature: Signature };

const readSignature = statement<[versionId: number], { signature: Signature }>(
  'read_signature',
  `select signature from pgscore_data.version where version_id = $1 and state = 'ready'`,
);

type Stored = { readonly isServed: boolean; readonly size: number; readonly pieces: number };

const storedArtifact = statement<[versionId: number], Stored>(
  'stored_artifact',
  `select is_served as "isServed", sum(octet_length(bytes))::float8 as size, count(*)::int as pieces
     from pgscore_data.artifact where version_id = $1 group by is_served order by is_served`,
);

const artifactPiece = statement<[versionId: number, isServed: boolean, piece: number], { bytes: Buffer }>(
  'artifact_piece',
  'select bytes from pgscore_data.artifact where version_id = $1 and is_served = $2 and piece = $3',
);

/**
 * Writes the graph of a version as it is served to a new file. `onPiece`: some of it has arrived.
 * @throws PgscoreError version_missing, model_disk_full
 */
export async function saveVersion(
  client: Queryable,
  versionId: number,
  path: string,
  onPiece?: () => void,
): Promise<LoadedVersion> {
  const { signature, stored } = await servedOf(client, versionId);
  return { ...(await writeModelFile(path, piecesOf(client, versionId, stored, onPiece))), signature };
}

/**
 * Writes the file of a version as it was deployed to a new file; undefined where it was dropped.
 * @throws PgscoreError version_missing, model_disk_full
 */
export async function saveOriginal(client: Queryable, versionId: number, path: string): Promise<ModelFile | undefined> {
  const [stored] = await storedArtifact(client, versionId);
  return stored && (await writeModelFile(path, piecesOf(client, versionId, stored)));
}

async function servedOf(client: Queryable, versionId: number): Promise<{ signature: Signature; stored: Stored }> {
  const [row] = await readSignature(client, versionId);
  const stored = (await storedArtifact(client, versionId)).at(-1);
  if (row === undefined || stored === undefined) throw dropped();
  return { signature: row.signature, stored };
}

async function* piecesOf(
  client: Queryable,
  versionId: number,
  { isServed, pieces }: Stored,
  onPiece: () => void = () => undefined,
): AsyncGenerator<Buffer> {
  for (let piece = 0; piece < pieces; piece += 1) {
    const [row] = await artifactPiece(client, versionId, isServed, piece);
    if (row === undefined) throw dropped();
    onPiece();
    yield row.bytes;
  }
}

function dropped(): PgscoreError {
  return new PgscoreError('version_missing', 'the version was dropped after the run was submitted', {
    remedy: 'Submit the run again with a version that pgscore.models lists.',
  });
}

/**
 * The versions that calls to the gateway may ask for, by an alias or in an experiment; champions come first. Native versions are
 * not among them.
 */
export const wantedVersions = statement<[], { versionId: number; bytes: number }>(
  'wanted_versions',
  `select v.version_id as "versionId", v.size_bytes::float8 as bytes
     from (select version_id, alias = 'champion' as champion from pgscore_data.alias
           union all
           select a.version_id, false from pgscore_data.experiment e join pgscore_data.experiment_arm a using (experiment_id)
            where e.stopped_at is null and e.kind <> 'shadow') a
     join pgscore_data.version v using (version_id)
     left join pgscore_data.execution e using (version_id)
    where v.state = 'ready' and e.native is not true
    group by v.version_id
    order by bool_or(a.champion) desc, v.size_bytes`,
);
