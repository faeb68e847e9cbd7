import { readFile, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:net';
import { Client } from 'pg';
import { PgscoreError } from '../errors.ts';
import { SUPERUSER, logFile, superuserPassword } from './cluster.ts';

/** A server that answers for its data directory. */
export type RunningServer = {
  readonly dataDir: string;
  readonly port: number;
  /** The superuser's password. */
  readonly password: string;
  /** As PostgreSQL writes it: `18.4`. */
  readonly version: string;
};

/** Recovery after a crash takes seconds. */
const TIMEOUT_MS = 60_000;

/** The server that runs on the data directory, waited for while it starts or stops, or undefined if none does. */
export async function runningServer(dataDir: string): Promise<RunningServer | undefined> {
  const deadline = Date.now() + TIMEOUT_MS;
  let refusal: unknown;
  while (Date.now() < deadline) {
    const postmaster = await readPostmaster(dataDir);
    if (postmaster === undefined) return undefined;
    const password = await superuserPassword(dataDir);
    try {
      const version = await greet(dataDir, postmaster.port, password);
      return { dataDir, port: postmaster.port, password, version };
    } catch (error) {
      refusal = error;
      await sleep(50);
    }
  }
  throw new PgscoreError('embedded_failed', `the server of ${dataDir} runs but refuses us`, {
    remedy: `see ${logFile(dataDir)}`,
    cause: refusal,
  });
}

/** The process and port that postmaster.pid names, if that process lives and is PostgreSQL. */
export async function readPostmaster(dataDir: string): Promise<{ pid: number; port: number } | undefined> {
  const file = join(dataDir, 'postmaster.pid');
  const [pid, , , port] = (await readFile(file, 'utf8').catch(() => '')).split('\n').map(Number);
  if (!pid || !isAlive(pid)) return undefined;
  if (await isPostgres(pid)) return { pid, port: port ?? 0 };
  // PostgreSQL refuses to start when another program has inherited the number, or nobody reaped its old process.
  await rm(file, { force: true });
  return undefined;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isPostgres(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat === undefined || /^\d+ \(postgres.*\) [^ZX]/.test(stat);
}

/** The version of the server on the port, if it takes the password and serves this data directory. */
async function greet(dataDir: string, port: number, password: string): Promise<string> {
  const login = { host: LOOPBACK, port, user: SUPERUSER, password, database: 'postgres' };
  const client = new Client({ ...login, connectionTimeoutMillis: 2_000, application_name: 'pgscore embedded' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ directory: string; version: string }>(
      "select current_setting('data_directory') as directory, current_setting('server_version') as version",
    );
    const [server] = rows;
    if (server?.directory !== (await realpath(dataDir))) throw new Error(`another server answers on port ${port}`);
    return server.version;
  } finally {
    await client.end().catch(() => undefined);
  }
}

export const LOOPBACK = '127.0.0.1';

/** Whether nothing listens on the port of 127.0.0.1. */
export async function isFree(port: number): Promise<boolean> {
  return bind(port).then(
    () => true,
    () => false,
  );
}

/** A port of 127.0.0.1 that nothing listens on, chosen by the system. */
export function freePort(): Promise<number> {
  return bind(0);
}

function bind(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, LOOPBACK, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}
