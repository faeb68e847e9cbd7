import { execFile, spawnSync } from 'node:child_process';

/** Whether a program can be run; says so where it can not, since its tests are skipped then. */
export function hasProgram(program: string, argument: string): boolean {
  const found = spawnSync(program, [argument]).error === undefined;
  if (!found) console.log(`skipped: ${program} is missing`);
  return found;
}

export type PsqlResult = { readonly exit: number; readonly stdout: string; readonly stderr: string };

/** Runs commands in one psql session, its files and environment left aside. */
export function psql(connection: string, commands: readonly string[], password = 'secret'): Promise<PsqlResult> {
  const args = ['-X', '-A', '-t', '-v', 'VERBOSITY=verbose', '-d', connection, ...commands.flatMap((c) => ['-c', c])];
  const env = { PATH: process.env['PATH'] ?? '', PGPASSWORD: password, LC_ALL: 'C.UTF-8', PGCONNECT_TIMEOUT: '10' };
  return new Promise((resolve) => {
    execFile('psql', args, { env, timeout: 30_000 }, (error, stdout, stderr) => {
      const code = error?.code;
      resolve({ exit: error === null ? 0 : typeof code === 'number' ? code : -1, stdout, stderr });
    });
  });
}
