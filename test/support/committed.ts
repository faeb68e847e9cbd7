import { readFile, writeFile } from 'node:fs/promises';

import { expect } from '@jest/globals';

/** Holds a text against a file of the repository, or writes the file where UPDATE_PAGES is set (`npm run renew`). */
export async function expectCommitted(path: string, text: string): Promise<void> {
  const file = new URL(`../../${path}`, import.meta.url);
  if (process.env['UPDATE_PAGES'] !== undefined) await writeFile(file, text);
  // Jest shows what differs; npm run renew -- <this test> writes it.
  expect(text).toBe(await readFile(file, 'utf8'));
}
