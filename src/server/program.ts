import { execFile } from 'node:child_process';
import { basename } from 'node:path';

import { PgscoreError } from '../errors.ts';
import type { ServerUser } from './server-user.ts';

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
