import { readFile } from 'node:fs/promises';

import { expect, test } from '@jest/globals';

import { migrationFiles } from '../../src/install/migrations.ts';
import { expectCommitted } from '../support/committed.ts';

const files = await migrationFiles();
const frozen: Record<string, string> = JSON.parse(
  await readFile(new URL('../../migrations/frozen.json', import.meta.url), 'utf8'),
);

test.each(files)('migration $name is what it was when it was frozen', ({ name, sha256 }) => {
  // Databases have run it: write another one instead. Before its release, take its line out of frozen.json and renew.
  if (name in frozen) expect(sha256).toBe(frozen[name]);
});

test('every migration is frozen', async () => {
  const added = files.map(({ name, sha256 }) => [name, frozen[name] ?? sha256]);
  await expectCommitted('migrations/frozen.json', `${JSON.stringify(Object.fromEntries(added), null, 2)}\n`);
});

test('each migration has a number of its own', () => {
  const numbers = files.map(({ name }) => Number(name.slice(0, 4)));
  expect(numbers).toEqual([...new Set(numbers)]);
  expect(numbers).not.toContain(NaN);
});
