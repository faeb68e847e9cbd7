import { readFile } from 'node:fs/promises';

import { PgscoreError } from '../errors.ts';
import { logFile, type Cluster } from './cluster.ts';
import { runProgram } from './program.ts';
import { readPostmaster, runningServer, type RunningServer } from './running.ts';

const PATIENCE_SECONDS = '60';
const LOG_TAIL_LINES = 10;

/** How PostgreSQL goes down: `fast` in order, `immediate` like a crash, so that the next start recovers. */
export type ShutdownMode = 'fast' | 'immediate';

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
  const wait = ['--wait', `--timeout=${PATIENCE_SECONDS}`, '--silent'];
  await runProgram(binaries.pgCtl, [...command, `--pgdata=${dataDir}`, ...wait], user);
}

async function notStarted({ dataDir }: Cluster, cause?: unknown): Promise<PgscoreError> {
  const log = await readFile(logFile(dataDir), 'utf8').catch(() => '');
  const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  const remedy = `see ${logFile(dataDir)}`;
  return new PgscoreError('embedded_failed', `PostgreSQL did not start:\n${tail}`, { remedy, cause });
}
