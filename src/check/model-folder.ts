import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PgscoreError } from '../errors.ts';

/** The names of temporary folders of models begin so; the pid of the process that made one follows. */
export const MODEL_FOLDER = 'pgscore-model-';

/** A model in a temporary file. Whoever passes it on never holds all of its bytes. */
export type ModelFile = { readonly path: string; readonly size: number };

/** Runs `work` with a temporary folder that no other user may read, and removes it. */
export async function inModelFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `${MODEL_FOLDER}${process.pid}-`)).catch(refuseFullDisk);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the folders of a process that has ended. */
export async function removeModelFolders(pid: number): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  const left = names.filter((name) => name.startsWith(`${MODEL_FOLDER}${pid}-`));
  await Promise.all(left.map((name) => rm(join(tmpdir(), name), { recursive: true }).catch(() => undefined)));
}

/**
 * Writes a model to a new file, piece by piece.
 * @throws PgscoreError model_disk_full, and what `pieces` throws
 */
export async function writeModelFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<ModelFile> {
  await pipeline(pieces, createWriteStream(path, { flags: 'w', mode: 0o600 })).catch(refuseFullDisk);
  return { path, size: (await stat(path)).size };
}

/** @throws PgscoreError model_disk_full; every other error as it is */
export function refuseFullDisk(error: unknown): never {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
  throw new PgscoreError('model_disk_full', 'the temporary folder of the service has no room for the model', {
    remedy: `Give TMPDIR of the service twice the size of the model, and try again.`,
    cause: error,
  });
}
