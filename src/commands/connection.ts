import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { type Flags, databaseNamed, setting } from '../config.ts';
import { connect, connectAsPerson } from '../postgres/connect.ts';
import { PgscoreError } from '../errors.ts';
import { notInstalled } from '../install/installation.ts';
import { ident } from '../lib/text.ts';

/** Works in a database that has pgscore, with settings of our own. Raises `not_installed` or `missing_right` with the remedy. */
export async function inDatabase<T>(flags: Flags, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const options = { url: await urlOrDemo(flags), applicationName: 'pgscore cli' };
  return withClient(connect(options), async (client) => {
    await checkUsable(client);
    return work(client);
  });
}

/** Works in a database that has pgscore, with the settings of the caller: names of tables and schemas mean what they mean to them. */
export async function inPersonsDatabase<T>(flags: Flags, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const options = { url: await urlOrDemo(flags), applicationName: 'pgscore cli' };
  return withClient(connectAsPerson(options), async (client) => {
    // The one setting that the driver cannot do without.
    await client.query("set datestyle = 'ISO'");
    await checkUsable(client);
    return work(client);
  });
}

/** Works on a connection, and ends it. */
export async function withClient<T>(
  connecting: Promise<pg.Client>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connecting;
  client.setTypeParser(INT8, Number);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Numbers of runs and counts of rows stay far below 2^53. */
const INT8 = 20;

type Usable = { installed: boolean; usable: boolean; database: string; role: string };

async function checkUsable(client: pg.Client): Promise<void> {
  const { rows } = await client.query<Usable>(
    `select n.oid is not null as installed, coalesce(has_schema_privilege(n.oid, 'usage'), false) as usable,
            current_database() as database, current_user as role
       from (values ('pgscore')) v (name) left join pg_namespace n on n.nspname = v.name`,
  );
  const [found] = rows;
  if (found === undefined || !found.installed) throw notInstalled(found?.database ?? '');
  if (found.usable) return;
  throw new PgscoreError('missing_right', `role "${found.role}" may not use pgscore in database "${found.database}"`, {
    remedy: `As the role that installed it, or a superuser, run: grant pgscore_user to ${ident(found.role)};`,
  });
}

export const DEFAULT_DATA_DIR = '.pgscore';

/** Where the embedded PostgreSQL and the note of a running demo are. */
export function dataDirOf(flags: Flags): string {
  return setting('dataDir', flags) ?? DEFAULT_DATA_DIR;
}

/** The database that was named, else the demo that runs in this folder; undefined leaves it to the PG* variables. */
export async function urlOrDemo(flags: Flags): Promise<string | undefined> {
  return databaseNamed(flags) ? setting('databaseUrl', flags) : recordedDemo(dataDirOf(flags));
}

/** Leaves word of a demo for the other commands. Only the owner may read it, for the URL holds a password. */
export async function recordDemo(dataDir: string, url: string): Promise<void> {
  const file = fileIn(dataDir);
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, `${JSON.stringify({ url }, null, 2)}\n`, { mode: 0o600 });
  await chmod(file, 0o600);
}

/** The demo has stopped. */
export async function forgetDemo(dataDir: string): Promise<void> {
  await rm(fileIn(dataDir), { force: true });
}

/** The URL of the demo that runs there, or undefined. */
async function recordedDemo(dataDir: string): Promise<string | undefined> {
  try {
    const note: unknown = JSON.parse(await readFile(fileIn(dataDir), 'utf8'));
    return typeof note === 'object' && note !== null && 'url' in note ? String(note.url) : undefined;
  } catch {
    return undefined;
  }
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'demo.json');
}
