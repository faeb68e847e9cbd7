import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, expect, test } from '@jest/globals';

const LOADER = fileURLToPath(new URL('../support/register-typescript.js', import.meta.url));
const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

const folder = await mkdtemp(join(tmpdir(), 'pgscore-bench-'));
afterAll(() => rm(folder, { recursive: true }));

test('a quick bench runs every part to its end, and writes their results', async () => {
  const out = join(folder, 'results.json');
  const { PATH, HOME } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', LOADER, MAIN, '--quick', '--out', out], {
    env: { PATH, HOME, PGSCORE_POLL: '0.2', PGSCORE_BATCH_TIMEOUT: '5' },
    timeout: 600_000,
    killSignal: 'SIGKILL',
  });
  expect(stdout).toContain('a nightly run at most');
  const results = JSON.parse(await readFile(out, 'utf8')) as Record<string, unknown>;
  const missing = Object.keys(results).filter((part) => results[part] === null);
  expect(missing).toEqual(['citus']);
}, 600_000);
