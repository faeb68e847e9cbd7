import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export type Said = { readonly exit: number | null; readonly stdout: string; readonly stderr: string };

export type CallOptions = {
  /** The database, by the environment. */
  url?: string;
  /** Standard input; empty by default. */
  input?: string;
  env?: Record<string, string>;
  /** Ctrl-C is pressed when this is said on standard error. */
  interruptAt?: string;
  /** What is done before that, with what was said so far. */
  beforeInterrupt?: (stderr: string) => Promise<void>;
  /** Nobody reads standard error. */
  stderrClosed?: boolean;
  /** The folder that it runs in. */
  cwd?: string;
};

/** Runs the built command line, without a terminal, and returns what it said. */
export async function runCli(args: readonly string[], options: CallOptions = {}): Promise<Said> {
  const { url, input = '', env = {}, interruptAt, beforeInterrupt, stderrClosed, cwd } = options;
  const child = spawn(process.execPath, [CLI, ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      ...(url === undefined ? {} : { PGSCORE_DATABASE_URL: url }),
      ...env,
    },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (stderrClosed === true) child.stderr.destroy();
  let stdout = '';
  let stderr = '';
  let before: Promise<void> | undefined;
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => {
    const said = interruptAt !== undefined && stderr.includes(interruptAt);
    stderr += chunk.toString();
    if (interruptAt === undefined || said || !stderr.includes(interruptAt)) return;
    before = (beforeInterrupt?.(stderr) ?? Promise.resolve()).finally(() => child.kill('SIGINT'));
    before.catch(() => undefined);
  });
  child.stdin.on('error', () => undefined).end(input);
  const exit = await new Promise<number | null>((resolve) => child.once('close', resolve));
  await before;
  return { exit, stdout, stderr };
}
