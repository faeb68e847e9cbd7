import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { PgscoreError } from '../errors.ts';
import type { Notice } from './notice.ts';

const run = promisify(execFile);

const NAME = 'postgres';

/** The operating system's user that runs the server; empty for the user of this process. */
export type ServerUser = { readonly uid?: number; readonly gid?: number };

/**
 * PostgreSQL refuses to run as root, so root starts it as the user `postgres`, adding that user where it is missing.
 *
 * @throws PgscoreError `embedded_unavailable` if the user can't be added.
 */
export async function serverUser(notice: Notice): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return {};
  try {
    return await idsOf(NAME);
  } catch {
    await addUser(notice);
    return idsOf(NAME);
  }
}

async function idsOf(name: string): Promise<ServerUser> {
  const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function addUser(notice: Notice): Promise<void> {
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', NAME]);
  } catch (cause) {
    throw new PgscoreError(
      'embedded_unavailable',
      `PostgreSQL does not run as root, and no user ${NAME} can be added`,
      {
        remedy: 'run as an ordinary user, or name a server of your own with --database-url',
        cause,
      },
    );
  }
  notice(`added the system user ${NAME}, because PostgreSQL does not run as root`);
}
