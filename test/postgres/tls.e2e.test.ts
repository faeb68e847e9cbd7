import { chown, copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { connect } from '../../src/postgres/connect.ts';
import { createSource, deployLogistic } from '../faults/long-run.ts';
import { expectSound } from '../faults/oracle.ts';
import { makeCertificate, type Certificate } from '../online/certificate.ts';
import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { waitFor } from '../support/wait-for.ts';

const OF_ANN = { user: 'ann', password: 'of ann' };

const certificate = makeCertificate('DNS:db.example');
const unrelated = makeCertificate('DNS:db.example');
const whereOpenssl = certificate === undefined ? test.skip : test;
const server = await startFaultServer({ fsync: 'off' });
if (certificate !== undefined) await turnTlsOn(certificate);

afterEach(() => {
  delete process.env['PGSSLMODE'];
  delete process.env['PGSSLROOTCERT'];
});

/** Gives the server its certificate, and has it refuse the role ann without TLS. */
async function turnTlsOn({ cert, key }: Certificate): Promise<void> {
  await give(cert, 'server.crt');
  await give(key, 'server.key');
  const access = join(server.dataDir, 'pg_hba.conf');
  const lines = 'hostssl all ann 127.0.0.1/32 scram-sha-256\nhostnossl all ann 127.0.0.1/32 reject\n';
  await writeFile(access, lines + (await readFile(access, 'utf8')));
  await asSuperuser((client) => client.query("create role ann login password 'of ann'"));
  await setTls('on');
}

async function give(file: string, name: string): Promise<void> {
  const { uid, gid } = await stat(server.dataDir);
  const place = join(server.dataDir, name);
  await copyFile(file, place);
  await chown(place, uid, gid);
}

async function setTls(state: 'on' | 'off'): Promise<void> {
  await asSuperuser(async (client) => {
    const set = `alter system set ssl = ${state}`;
    await client.query(set);
    await client.query('select pg_reload_conf()');
  });
  const takes = () => asSuperuser(isEncrypted, '?sslmode=prefer');
  await waitFor(async () => (await takes()) === (state === 'on'), { message: `TLS to be ${state}` });
}

async function isEncrypted(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
  return rows[0]?.ssl === true;
}

function asSuperuser<T>(work: (client: Client) => Promise<T>, parameters = '?sslmode=disable'): Promise<T> {
  return connected(`${server.url()}${parameters}`, work);
}

async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect({ url, applicationName: 'test' });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

whereOpenssl.each([
  ['?sslmode=require', true],
  ['?ssl=true', true],
  ['?sslmode=prefer', true],
  ['?sslmode=allow', false],
  ['?sslmode=disable', false],
  ['', false],
  [`?sslmode=require&sslrootcert=${certificate?.cert}`, true],
  [`?sslmode=verify-ca&sslrootcert=${certificate?.cert}`, true],
])('a server with a certificate of its own is reached with "%s", encrypted: %s', async (parameters, encrypted) => {
  expect(await asSuperuser(isEncrypted, parameters)).toBe(encrypted);
});

whereOpenssl('PGSSLMODE and PGSSLROOTCERT stand in for what the URL leaves out', async () => {
  process.env['PGSSLMODE'] = 'require';
  expect(await asSuperuser(isEncrypted, '')).toBe(true);
  expect(await asSuperuser(isEncrypted, '?sslmode=disable')).toBe(false);
  process.env['PGSSLROOTCERT'] = unrelated?.cert;
  await expect(asSuperuser(isEncrypted, '')).rejects.toMatchObject({ code: 'database_refused' });
});

whereOpenssl('a role that must come by TLS does so unasked', async () => {
  expect(await connected(server.url('postgres', OF_ANN), isEncrypted)).toBe(true);
  await expect(connected(`${server.url('postgres', OF_ANN)}?sslmode=disable`, isEncrypted)).rejects.toMatchObject({
    code: 'database_refused',
    remedy: expect.stringContaining('sslmode=require'),
  });
});

whereOpenssl.each([
  ['an authority that is not known', '?sslmode=verify-full', 'sslrootcert=/path/ca.pem'],
  ['another authority', `?sslmode=require&sslrootcert=${unrelated?.cert}`, 'sslrootcert=/path/ca.pem'],
  ['another name', `?sslmode=verify-full&sslrootcert=${certificate?.cert}`, 'sslmode=verify-ca'],
])('a certificate of %s is refused, with what mends it', async (_, parameters, remedy) => {
  await expect(asSuperuser(isEncrypted, parameters)).rejects.toMatchObject({
    code: 'database_refused',
    retry: false,
    remedy: expect.stringContaining(remedy),
  });
});

whereOpenssl('a server without TLS is reached by sslmode=prefer, and refused by require', async () => {
  await setTls('off');
  expect(await asSuperuser(isEncrypted, '?sslmode=prefer')).toBe(false);
  await expect(asSuperuser(isEncrypted, '?sslmode=require')).rejects.toMatchObject({
    code: 'database_refused',
    remedy: expect.stringContaining('ssl = on'),
  });
  await setTls('on');
});

test.each([
  ['?sslmode=no-such', 'verify-full'],
  ['?sslmode=verify-ca', 'sslrootcert'],
  ['?sslmode=require&sslrootcert=system', 'verify-full'],
  ['?sslmode=require&sslrootcert=/no/such/file', 'may read'],
  ['?sslmode=require&sslcert=package.json', 'sslkey'],
])('%s is refused before anything is connected', async (parameters, remedy) => {
  await expect(asSuperuser(isEncrypted, parameters)).rejects.toMatchObject({
    code: 'usage',
    remedy: expect.stringContaining(remedy),
  });
});

whereOpenssl('a table is scored over TLS alone', async () => {
  const database = await createFaultDatabase(server);
  const url = (user: string, password: string) => `${database.url({ user, password })}?sslmode=require`;
  await startTestService(database, {
    PGSCORE_DATABASE_URL: url('pgscore_service', SERVICE_PASSWORD),
    PGSCORE_READER_URL: url('pgscore_reader', READER_PASSWORD),
  });
  await deployLogistic(await database.client('ada'));
  const owner = await database.client('alice');
  await createSource(owner, 'big', 2_000);
  const { run, state } = await scoreTable(owner, 'logistic', 'big', { target: 'big_scores' });
  expect(state).toBe('done');
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: 2_000 }] });
  const { rows } = await (
    await database.client()
  ).query(
    `select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename in ('pgscore_service', 'pgscore_reader')`,
  );
  expect(rows).toEqual([{ ssl: true }]);
});
