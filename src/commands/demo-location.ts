import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setting } from '../config.ts';
import type { Flags } from '../config.ts';

/** Where the embedded PostgreSQL and the note of a running demo are. */
export function dataDirOf(flags: Flags): string {
  return setting('dataDir', flags) ?? '.pgscore';
}

/** Leaves word of a demo for `pgscore sql`. Only the owner may read it, for the URL holds a password. */
export async function recordDemo(dataDir: string, url: string): Promise<void> {
  const file = fileIn(dataDir);
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, `${JSON.stringify({ url }, null, 2)}\n`, { mode: 0o600 });
  await chmod(file, 0o600);
}

/** The URL of the demo that was last started there, or undefined. */
export async function recordedDemo(dataDir: string): Promise<string | undefined> {
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
