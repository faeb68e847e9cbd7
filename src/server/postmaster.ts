import { readFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { PgscoreError } from '../errors.ts';
import { logFile, type Cluster } from './cluster.ts';
import { runProgram, CLEAN_ENVIRONMENT } from './program.ts';
import { readPostmaster, runningServer, type RunningServer } from './running.ts';

const TIMEOUT_SECONDS = '60';
const LOG_TAIL_LINES = 10;

/** How PostgreSQL goes down: `fast` in order, `immediate` like a crash, so that the next start recovers. */
type ShutdownMode = 'fast' | 'immediate';

/**
 * Starts the server with the settings on file and waits until it answers.
 *
 * @throws PgscoreError `embedded_failed` with the end of the server's log.
 */
export async function startPostmaster(cluster: Cluster): Promise<RunningServer> {
  try {
    await pgCtl(cluster, ['start', `--log=${logFile(cluster.dataDir)}`]);
  } catch (cause) {
    throw await notStarted(cluster, cause);
  }
  const running = await runningServer(cluster.dataDir);
  if (running === undefined) throw await notStarted(cluster);
  return running;
}

/** Stops the server, if it runs, and waits until it is down. */
export async function stopPostmaster(cluster: Cluster, mode: ShutdownMode): Promise<void> {
  if ((await readPostmaster(cluster.dataDir)) === undefined) return;
  await pgCtl(cluster, ['stop', `--mode=${mode}`]);
}

async function pgCtl({ dataDir, binaries, user }: Cluster, command: string[]): Promise<void> {
  const wait = ['--wait', `--timeout=${TIMEOUT_SECONDS}`, '--silent'];
  await runProgram(binaries.pgCtl, [...command, `--pgdata=${dataDir}`, ...wait], user);
}

async function notStarted({ dataDir }: Cluster, cause?: unknown): Promise<PgscoreError> {
  const log = await readFile(logFile(dataDir), 'utf8').catch(() => '');
  const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  const remedy = `see ${logFile(dataDir)}`;
  return new PgscoreError('embedded_failed', `PostgreSQL did not start:\n${tail}`, { remedy, cause });
}

/**
 * Waits on its standard input, which ends when our process does, however it dies; then stops the server. A line read
 * first means that the server was stopped in order.
 */
const WATCH = 'read -r line || { "$0" stop -D "$1" -m fast -s; [ -z "$2" ] || rm -rf "$2"; }';

/** Ties a server to this process. */
type ParentPipe = {
  /** Lets go of a server that has stopped. */
  release(): void;
};

/**
 * Makes the server stop when this process ends, by kill -9 too, which no signal handler would see. It runs in its own
 * session, so that Ctrl-C at the terminal reaches us alone and we can finish what we do before the server goes.
 *
 * @param remove a directory to remove after that
 */
export function attachParentPipe({ dataDir, binaries, user }: Cluster, remove = ''): ParentPipe {
  const watch = spawn('/bin/sh', ['-c', WATCH, binaries.pgCtl, dataDir, remove], {
    ...user,
    cwd: '/',
    env: CLEAN_ENVIRONMENT,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watch.unref();
  if (watch.stdin instanceof Socket) watch.stdin.unref();
  watch.stdin.on('error', () => undefined);
  return { release: () => watch.stdin.end('stopped\n') };
}
