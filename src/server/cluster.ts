import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PgscoreError } from '../errors.ts';
import { versionOfPrograms, type Binaries } from './binaries.ts';
import { runProgram, type ServerUser } from './program.ts';
import { give } from './reachable.ts';

export const SUPERUSER = 'postgres';

/** A data directory with the programs and the operating system's user that run it. */
export type Cluster = {
  readonly dataDir: string;
  readonly binaries: Binaries;
  readonly user: ServerUser;
};

/** Settings of postgresql.conf by name. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

const passwordFile = (dataDir: string) => join(dataDir, 'pgscore.superuser-password');
const settingsFile = (dataDir: string) => join(dataDir, 'pgscore.conf');
export const logFile = (dataDir: string) => join(dataDir, 'server.log');

/**
 * Runs initdb unless the directory holds a cluster of this major version. It is made beside the directory and moved
 * in whole, so that a start killed halfway, or two at once, leave nothing half made.
 */
export async function ensureCluster(cluster: Cluster): Promise<void> {
  const { dataDir, binaries } = cluster;
  const major = Number.parseInt(await versionOfPrograms(binaries), 10);
  const found = await majorOf(dataDir);
  if (found === major) return;
  if (found !== undefined) throw otherVersion(dataDir, found, major);

  const unfinished = await mkdtemp(`${dataDir}.new-`);
  try {
    await initialise({ ...cluster, dataDir: unfinished }, major);
    await rename(unfinished, dataDir);
  } catch (cause) {
    if ((await majorOf(dataDir)) !== major) throw notInitialised(dataDir, cause);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Writes the settings that hold from the next start on. */
export async function writeSettings({ dataDir, user }: Cluster, settings: Settings): Promise<void> {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`);
  await writeFile(settingsFile(dataDir), lines.join(''), { mode: 0o600 });
  await give(settingsFile(dataDir), user);
}

/** The port of the last start. */
export async function lastPort(dataDir: string): Promise<number | undefined> {
  const settings = await readFile(settingsFile(dataDir), 'utf8').catch(() => '');
  const port = /^port = '(\d+)'$/m.exec(settings)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** The superuser's password, made by initdb and kept inside the data directory for its owner alone. */
export async function superuserPassword(dataDir: string): Promise<string> {
  try {
    return (await readFile(passwordFile(dataDir), 'utf8')).trim();
  } catch (cause) {
    throw new PgscoreError('embedded_failed', `${passwordFile(dataDir)}, the superuser's password, cannot be read`, {
      remedy: 'restore the file, or remove the data directory to begin anew',
      cause,
    });
  }
}

async function initialise({ dataDir, binaries, user }: Cluster, major: number): Promise<void> {
  await give(dataDir, user);
  const newPassword = `${dataDir}.password`;
  try {
    await writeFile(newPassword, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    await give(newPassword, user);
    const access = ['--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${newPassword}`];
    await runProgram(
      binaries.initdb,
      [`--pgdata=${dataDir}`, ...access, '--encoding=UTF8', ...localeOf(major), '--no-instructions'],
      user,
    );
    await rename(newPassword, passwordFile(dataDir));
  } finally {
    await rm(newPassword, { force: true });
  }
  await appendFile(join(dataDir, 'postgresql.conf'), "include 'pgscore.conf'\n");
}

/** Sorting by code point, the same on every machine; the builtin provider, from 17 on, needs no locale of the system. */
function localeOf(major: number): string[] {
  if (major >= 17) return ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  return ['--locale=C.UTF-8', '--lc-messages=C'];
}

async function majorOf(dataDir: string): Promise<number | undefined> {
  const file = join(dataDir, 'PG_VERSION');
  return existsSync(file) ? Number(await readFile(file, 'utf8')) : undefined;
}

function otherVersion(dataDir: string, found: number, major: number): PgscoreError {
  return new PgscoreError(
    'embedded_failed',
    `${dataDir} holds data of PostgreSQL ${found}, the programs are ${major}`,
    {
      remedy: 'dump it with the old version, or remove the data directory to begin anew',
    },
  );
}

function notInitialised(dataDir: string, cause: unknown): PgscoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PgscoreError('embedded_failed', `${dataDir} could not be made a PostgreSQL data directory: ${reason}`, {
    remedy: 'give an empty or new directory that this user may write',
    cause,
  });
}
