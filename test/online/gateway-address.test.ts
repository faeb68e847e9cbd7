import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { makeSocketFolder } from '../../src/online/gateway-address.ts';

const here = await mkdtemp(join(tmpdir(), 'sockets-'));
afterAll(() => rm(here, { recursive: true }));

test('a folder for a socket may have spaces and quotes in its name', async () => {
  const odd = join(here, `it's "odd" \\`);
  await mkdir(odd);
  const local = await makeSocketFolder(odd);
  expect(local?.folder).toMatch(/^\/.*\/it's "odd" \\\/pgscore-/);
});

test.each([
  ['is too long for a socket', join(here, 'x'.repeat(90))],
  ['would be two hosts', join(here, 'a,b')],
  ['would be looked up by DNS', relative('.', join(here, 'relative'))],
])('none is left behind where the name %s', async (_, folder) => {
  await mkdir(folder);
  expect(await makeSocketFolder(folder)).toBeUndefined();
  expect(await readdir(folder)).toEqual([]);
});

test('where none can be made there is none', async () => {
  expect(await makeSocketFolder(join(here, 'missing'))).toBeUndefined();
});
