import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { PgscoreError } from '../errors.ts';

/** Nothing of our own environment: a PGHOST or a locale set there would reach PostgreSQL's programs. */
export const CLEAN_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };

/**
 * Runs one of PostgreSQL's programs as the server's user and gives its standard output.
 *
 * @throws PgscoreError `embedded_failed` with what the program said.
 */
export function runProgram(program: string, args: string[], user: ServerUser): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { ...user, cwd: '/', env: CLEAN_ENVIRONMENT }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = stderr.trim() || error.message;
      reject(new PgscoreError('embedded_failed', `${basename(program)}: ${said}`, { cause: error }));
    });
  });
}

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

/** Gets a sentence that says what the embedded server did that its user may want to know, such as adding a system user. */
export type Notice = (message: string) => void;
