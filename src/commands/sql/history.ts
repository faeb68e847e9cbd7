import { readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

const MOST_LINES = 1000;

const file = (): string => join(homedir(), '.pgscore_history');

/** The lines that were typed in earlier sessions, the newest first, as readline wants them. */
export async function readHistory(): Promise<string[]> {
  const text = await readFile(file(), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** Keeps the lines for the next session, but those that may hold a password. A home that cannot be written is no reason to fail. */
export async function writeHistory(lines: readonly string[]): Promise<void> {
  const kept = lines.filter((line) => !/password/i.test(line)).slice(0, MOST_LINES);
  await writeFile(file(), `${kept.join('\n')}\n`, { mode: 0o600 }).catch(() => undefined);
}
