import { chmod, mkdtemp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { type EmbeddedServer, startEmbedded, type EmbeddedOptions } from '../../src/server/start.ts';
import { dataFolder } from '../support/data-folder.ts';
import { programsUnderTest } from '../support/test-server.ts';

const folder = await mkdtemp(join(await dataFolder(), 'pgscore-embedded-'));
await chmod(folder, 0o755);
const started: EmbeddedServer[] = [];

afterAll(async () => {
  await Promise.all(started.map((server) => server.stop()));
  await rm(folder, { recursive: true });
});

async function start(name: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedServer> {
  const server = await startEmbedded({ dataDir: join(folder, name), ...programsUnderTest(), ...options });
  started.push(server);
  return server;
}

async function ask(url: string, question: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<[unknown]>({ text: question, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

test('a new server listens on 127.0.0.1 alone and opens to passwords alone', async () => {
  const server = await start('new');
  await expect(ask(server.url(), 'show listen_addresses')).resolves.toBe('127.0.0.1');
  await expect(ask(server.url(), 'show unix_socket_directories')).resolves.toBe('');
  const methods = 'select array_agg(distinct auth_method) from pg_hba_file_rules';
  await expect(ask(server.url(), methods)).resolves.toEqual(['scram-sha-256']);
  const wrong = server.url('postgres', { user: 'postgres', password: 'wrong' });
  await expect(ask(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' });
});

test('the password of the superuser is readable by its owner alone', async () => {
  const server = await start('new');
  const file = join(server.dataDir, 'pgscore.superuser-password');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await readFile(file, 'utf8')).trim()).toMatch(/^[\w-]{32}$/);
});

test('text is UTF-8 and sorts by code point, whatever the machine', async () => {
  const server = await start('new');
  await expect(ask(server.url(), 'show server_encoding')).resolves.toBe('UTF8');
  const sorted = "select string_agg(t, '' order by t) from unnest(array['é', 'b', 'a', 'B']) t";
  await expect(ask(server.url(), sorted)).resolves.toBe('Babé');
  await expect(ask(server.url(), "select upper('é')")).resolves.toBe('É');
});

test('a further start keeps the data and the port', async () => {
  const first = await start('kept');
  await ask(first.url(), 'create table kept as select 42 as answer');
  await first.stop();
  const second = await start('kept');
  expect(second.port).toBe(first.port);
  await expect(ask(second.url(), 'select answer from kept')).resolves.toBe(42);
  await second.stop();
});

test('a start joins the server that runs, and leaves it to the one who started it', async () => {
  const owner = await start('kept');
  const guest = await start('kept');
  expect(guest.url()).toBe(owner.url());
  await guest.stop();
  await expect(ask(owner.url(), 'select 1')).resolves.toBe(1);
  await owner.stop();
});

test('starts at the same moment on a new directory share one server', async () => {
  const servers = await Promise.all([start('race'), start('race')]);
  expect(new Set(servers.map((server) => server.port)).size).toBe(1);
});

test('a postmaster.pid that names another living process does not hinder', async () => {
  const first = await start('kept');
  await first.stop();
  await writeFile(join(first.dataDir, 'postmaster.pid'), `${process.pid}\n${first.dataDir}\n0\n${first.port}\n`);
  const second = await start('kept');
  await expect(ask(second.url(), 'select 1')).resolves.toBe(1);
  await second.stop();
});

test('a setting that PostgreSQL refuses is named in the error', async () => {
  const refused = start('kept', { settings: { work_mem: 'plenty' } });
  await expect(refused).rejects.toMatchObject({
    code: 'embedded_failed',
    message: expect.stringContaining('work_mem'),
  });
});

test('a folder that holds something else is refused and left alone', async () => {
  await mkdir(join(folder, 'taken'));
  await writeFile(join(folder, 'taken', 'thesis.txt'), 'chapter 1');
  await expect(start('taken')).rejects.toMatchObject({ code: 'embedded_failed' });
  await expect(readFile(join(folder, 'taken', 'thesis.txt'), 'utf8')).resolves.toBe('chapter 1');
});

test('the data of another major version is refused by name', async () => {
  const server = await start('kept');
  await server.stop();
  await writeFile(join(server.dataDir, 'PG_VERSION'), '14\n');
  await expect(start('kept')).rejects.toMatchObject({
    code: 'embedded_failed',
    message: expect.stringContaining('PostgreSQL 14'),
  });
});

test('a folder without programs is refused by name', async () => {
  await expect(start('bare', { binaries: folder })).rejects.toMatchObject({ code: 'embedded_unavailable' });
});

const testAsRoot = process.getuid?.() === 0 ? test : test.skip;

testAsRoot("root's closed folder is answered with another place, and said", async () => {
  await mkdir(join(folder, 'closed'), { mode: 0o700 });
  const notices: string[] = [];
  const server = await start('closed/data', { notice: (notice) => notices.push(notice) });
  expect(notices).toEqual([expect.stringContaining(server.dataDir)]);
  await expect(ask(server.url(), 'select 1')).resolves.toBe(1);
  await server.stop();
  await rm(server.dataDir, { recursive: true });
});
