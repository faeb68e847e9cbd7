import { chmod, mkdtemp, readdir } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where PostgreSQL on this machine finds a gateway without TCP: a folder as libpq takes one for its host, and the user who owns what is in it. */
export type LocalSocket = { readonly folder: string; readonly owner: string };

/** Where a gateway answers: by TCP, and on its machine where it can by a socket, too. */
export type GatewayAddress = { readonly host: string; readonly port: number; readonly local: LocalSocket | undefined };

/** What the database needs to know to call a gateway. A type of the package goes by it, so this file imports no library. */
export type GatewayLogin = GatewayAddress & { readonly user: string; readonly password: string };

/** How the name of its folder begins. */
export const SOCKET_FOLDER = 'pgscore-';
const SOCKET = /^\.s\.PGSQL\.\d+$/;

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
export async function makeSocketFolder(temporary = tmpdir()): Promise<LocalSocket | undefined> {
  const prefix = join(temporary, SOCKET_FOLDER);
  if (!isHost(prefix)) return undefined;
  try {
    // Before anything is made: in a container the user may have no name.
    const owner = userInfo().username;
    const local = { folder: await mkdtemp(prefix), owner };
    process.once('exit', () => removeSocketFolder(local));
    await chmod(local.folder, 0o711);
    return local;
  } catch {
    return undefined;
  }
}

/** The sockets in a folder that holds nothing else. */
export async function socketsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.every((name) => SOCKET.test(name)) ? names.map((name) => join(folder, name)) : [];
}

/** Whether libpq takes folders that begin so for one of a socket: it looks up what is not absolute by DNS, and a comma parts hosts. */
function isHost(prefix: string): boolean {
  const longest = socketPath({ folder: `${prefix}XXXXXX`, owner: '' }, 65_535);
  return isAbsolute(prefix) && !prefix.includes(',') && Buffer.byteLength(longest) <= LONGEST_PATH_BYTES;
}

/** Of a process that was killed, too. */
export function removeSocketFolder({ folder }: LocalSocket): void {
  rmSync(folder, { recursive: true, force: true });
}
