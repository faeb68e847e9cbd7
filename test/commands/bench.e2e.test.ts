import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { runCli } from './run-cli.ts';

const folder = await mkdtemp(join(tmpdir(), 'pgscore-bench-'));
afterAll(() => rm(folder, { recursive: true }));

test('a quick bench runs every part to its end, and writes their results', async () => {
  const out = join(folder, 'results.json');
  const { exit, stdout } = await runCli(['bench', '--quick', '--out', out]);
  expect([exit, stdout]).toEqual([0, expect.stringContaining('a nightly run at most')]);
  const results = JSON.parse(await readFile(out, 'utf8')) as Record<string, unknown>;
  expect(Object.keys(results)).toEqual(expect.arrayContaining(['idle', 'tables', 'calls', 'monitor']));
}, 600_000);
