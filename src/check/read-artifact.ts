import type { Queryable } from '../postgres/statement.ts';
import { statement } from '../postgres/statement.ts';

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
