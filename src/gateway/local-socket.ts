import { chmod, mkdtemp } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** Where PostgreSQL on this machine finds a gateway without TCP: a folder as libpq takes one for its host, and the user who owns what is in it. */
export type LocalSocket = { readonly folder: string; readonly owner: string };

/** What macOS takes, which is one less than Linux does. */
const LONGEST_PATH_BYTES = 103;

/** The socket of a port, as libpq names it. */
export function socketPath({ folder }: LocalSocket, port: number): string {
  return join(folder, `.s.PGSQL.${port}`);
}

/**
 * A new folder, which others can pass and only this process's user can write; it goes with the process. Undefined where there
 * can be none: by TCP it goes, too.
 */
export async function makeSocketFolder(): Promise<LocalSocket | undefined> {
  try {
    const local = { folder: await mkdtemp(join(tmpdir(), 'pgscore-')), owner: userInfo().username };
    process.once('exit', () => removeSocketFolder(local));
    await chmod(local.folder, 0o711);
    return Buffer.byteLength(socketPath(local, 65_535)) > LONGEST_PATH_BYTES ? undefined : local;
  } catch {
    return undefined;
  }
}

/** Of a process that was killed, too. */
export function removeSocketFolder({ folder }: LocalSocket): void {
  rmSync(folder, { recursive: true, force: true });
}
