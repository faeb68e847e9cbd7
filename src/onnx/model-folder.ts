import { createHash } from 'node:crypto';
import { createWriteStream, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, lstat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PgscoreError } from '../errors.ts';

/** A folder's name: this prefix, the pid space, the pid of the process that made it. */
const MODEL_FOLDER = 'pgscore-model-';
const NAME = new RegExp(`^${MODEL_FOLDER}(\\w+)-(\\d+)-`);

/** Equal for processes that can see each other's pids: same boot, same pid namespace. */
function pidSpace(): string {
  try {
    const names = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')}${readlinkSync('/proc/self/ns/pid')}`;
    return createHash('sha256').update(names).digest('hex').slice(0, 12);
  } catch {
    return 'unknown';
  }
}

const prefixOf = (pid: number): string => `${MODEL_FOLDER}${pidSpace()}-${pid}-`;

/** A model in a temporary file. Whoever passes it on never holds all of its bytes. */
export type ModelFile = { readonly path: string; readonly size: number };

/** Runs `work` with a temporary folder that no other user may read, and removes it. */
export async function inModelFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), prefixOf(process.pid))).catch(refuseFullDisk);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the folders of a process that has ended. */
export async function removeModelFolders(pid: number): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  const prefix = prefixOf(pid);
  await removeOwnFolders(
    tmpdir(),
    names.filter((name) => name.startsWith(prefix)),
  );
}

/** Longer than any check and any load. */
const OLD_MS = 24 * 3_600_000;

/** Whether a folder holds a model that no process uses: its process has ended, or, where that is not seen from here, it is a day old. */
export async function isLeftModelFolder(folder: string): Promise<boolean> {
  const [, space, pid] = NAME.exec(basename(folder)) ?? [];
  if (pid === undefined) return false;
  if (space === pidSpace() && space !== 'unknown') return !isAlive(Number(pid));
  const made = await stat(folder).catch(() => undefined);
  return made !== undefined && made.mtimeMs < Date.now() - OLD_MS;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is another user's.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
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

/** Removes those folders of a shared place that are this user's and that nobody else can write to: in another, paths may change meanwhile. */
export async function removeOwnFolders(place: string, names: readonly string[]): Promise<void> {
  const removal = async (name: string): Promise<void> => {
    const folder = join(place, name);
    if (await isOwn(folder)) await rm(folder, { recursive: true });
  };
  await Promise.all(names.map((name) => removal(name).catch(() => undefined)));
}

async function isOwn(folder: string): Promise<boolean> {
  const found = await lstat(folder);
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}
