import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

import type { Cluster } from './cluster.ts';
import { CLEAN_ENVIRONMENT } from './program.ts';

/**
 * Waits on its standard input, which ends when our process does, however it dies; then stops the server. A line read
 * first means that the server was stopped in order.
 */
const WATCH = 'read -r line || { "$0" stop -D "$1" -m fast -s; [ -z "$2" ] || rm -rf "$2"; }';

/** Ties a server to this process. */
export type Lifeline = {
  /** Lets go of a server that has stopped. */
  release(): void;
};

/**
 * Makes the server stop when this process ends, by kill -9 too, which no signal handler would see. It runs in its own
 * session, so that Ctrl-C at the terminal reaches us alone and we can finish what we do before the server goes.
 *
 * @param remove a directory to remove after that
 */
export function attachLifeline({ dataDir, binaries, user }: Cluster, remove = ''): Lifeline {
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
