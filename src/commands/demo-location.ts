import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { databaseNamed, setting } from '../config.ts';
import type { Flags } from '../config.ts';

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
