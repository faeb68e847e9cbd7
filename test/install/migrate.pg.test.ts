import { expect, test } from '@jest/globals';

import { Client } from 'pg';

import { PgscoreError } from '../../src/errors.ts';
import { INSTALL_LOCK, migrate } from '../../src/install/migrate.ts';
import { migrationFiles } from '../../src/install/migrations.ts';
import { ROLES } from '../../src/install/roles.ts';
import { waitFor } from '../support/wait-for.ts';
import { freshCluster, query } from './fresh-cluster.ts';

const cluster = await freshCluster();
const ROLE_NAMES = ROLES.map(({ name }) => name);
const MIGRATIONS = (await migrationFiles()).map(({ name }) => name);

async function dropRoles(): Promise<void> {
  const databases = await cluster.run("select datname from pg_database where datname like 'database%'");
  for (const { datname } of databases) await cluster.run(`drop database "${String(datname)}" with (force)`);
  await cluster.run(`drop role if exists ${ROLE_NAMES.join(', ')}`);
}

async function migratedAs(database: string, user?: string): Promise<PgscoreError | undefined> {
  return migrate({ url: cluster.url(database, user) }).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof PgscoreError) return error;
      throw error;
    },
  );
}

test('three at once in one database install it once, the others change nothing, and an older pgscore is refused there', async () => {
  await dropRoles();
  const database = await cluster.createDatabase();
  const all = await Promise.all(Array.from({ length: 3 }, () => migrate({ url: cluster.url(database) })));
  expect(all.flatMap(({ applied }) => applied)).toEqual(MIGRATIONS);
  expect(all.flatMap(({ createdRoles }) => createdRoles)).toEqual(ROLE_NAMES);
  const again = all.find(({ applied }) => applied.length === 0);
  expect(again).toMatchObject({ createdRoles: [], passwords: [], state: 'original' });
  await cluster.run("insert into pgscore_data.migration values ('9999_of_the_future', now()::text)", database);
  const error = await migratedAs(database);
  expect(error).toMatchObject({ code: 'not_installed', message: expect.stringContaining('9999_of_the_future') });
});

test('several databases of one server install at once, though roles are the server’s', async () => {
  await dropRoles();
  const databases = await Promise.all(Array.from({ length: 2 }, () => cluster.createDatabase()));
  const passwords = { servicePassword: 'service', readerPassword: 'reader' };
  const all = await Promise.all(databases.map((name) => migrate({ url: cluster.url(name), ...passwords })));
  expect(all.map(({ applied }) => applied)).toEqual(databases.map(() => MIGRATIONS));
  expect(all.flatMap(({ createdRoles }) => createdRoles).toSorted()).toEqual(ROLE_NAMES.toSorted());
});

test('a role that holds the lock of installers is named; past the limit the install says how to end it', async () => {
  await dropRoles();
  const database = await cluster.createDatabase();
  const login = await cluster.createLogin();
  const holder = new Client({ connectionString: cluster.url(database, login), application_name: 'mine' });
  await holder.connect();
  const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid, pg_advisory_lock($1)', [
    INSTALL_LOCK,
  ]);
  const pid = rows[0]?.pid;
  const told: string[] = [];
  const tell = (line: string): void => void told.push(line);
  await expect(migrate({ url: cluster.url(database), waitMs: 300, tell })).rejects.toMatchObject({
    code: 'install_locked',
    remedy: expect.stringContaining(`pg_terminate_backend(${pid})`),
  });
  expect(told).toEqual([`waiting for session ${pid} of role "${login}" (mine), which holds the lock of installers`]);
  const waiting = migrate({ url: cluster.url(database), tell });
  await waitFor(() => told.length === 2);
  await holder.end();
  expect((await waiting).applied).toEqual(MIGRATIONS);
});

test('the owner of a database who may create roles needs no superuser, and passwords reach the server as verifiers that log in', async () => {
  await dropRoles();
  const installer = await cluster.createLogin('createrole');
  const database = await cluster.createDatabase(installer);
  const password = 'Pässwort mit\u00a0Leerzeichen ²';
  expect(
    await migrate({ url: cluster.url(database, installer), servicePassword: password, readerPassword: 'b' }),
  ).toMatchObject({
    createdRoles: ROLE_NAMES,
    passwords: ['pgscore_service', 'pgscore_reader'],
  });
  const url = new URL(cluster.url(database));
  url.username = 'pgscore_service';
  url.password = encodeURIComponent(password);
  expect(await query(url.href, 'select current_user as me')).toEqual([{ me: 'pgscore_service' }]);
  const [stored] = await cluster.run("select rolpassword from pg_authid where rolname = 'pgscore_service'");
  expect(stored).toEqual({ rolpassword: expect.stringMatching(/^SCRAM-SHA-256\$4096:/) });
});

test('a role without rights is told each line to run, and running them is enough', async () => {
  await dropRoles();
  const installer = await cluster.createLogin();
  const database = await cluster.createDatabase();
  const told: string[] = [];
  for (let error = await migratedAs(database, installer); error; error = await migratedAs(database, installer)) {
    const line = error.remedy?.split('run: ')[1] ?? '';
    expect(error.code).toBe('missing_right');
    expect(told).not.toContain(line);
    told.push(line);
    await cluster.run(line, database);
  }
  expect(told).toEqual([
    ...ROLES.map(({ name, login }) => `create role "${name}" ${login ? 'login' : 'nologin'};`),
    'grant "pgscore_user" to "pgscore_deployer";',
    `grant "pgscore_owner" to "${installer}";`,
    `grant create on database "${database}" to "${installer}";`,
  ]);
});

test('roles that a DBA made beforehand are taken as they are', async () => {
  await dropRoles();
  const installer = await cluster.createLogin();
  const database = await cluster.createDatabase(installer);
  await cluster.run(`
    create role pgscore_owner; create role pgscore_user; create role pgscore_analyst;
    create role pgscore_deployer in role pgscore_user;
    create role pgscore_service login connection limit 50; create role pgscore_reader login;
    grant pgscore_owner to ${installer}`);
  expect(await migrate({ url: cluster.url(database, installer) })).toMatchObject({ createdRoles: [] });
  const [service] = await cluster.run("select rolconnlimit from pg_roles where rolname = 'pgscore_service'");
  expect(service).toEqual({ rolconnlimit: 50 });
});

test('an owner who is a superuser is refused, since every function would run as one', async () => {
  await dropRoles();
  await cluster.run('create role pgscore_owner superuser');
  const error = await migratedAs(await cluster.createDatabase());
  expect(error).toMatchObject({ code: 'missing_right', remedy: expect.stringContaining('nosuperuser') });
});

test('a schema of the same name that belongs to somebody else is left alone', async () => {
  await dropRoles();
  const database = await cluster.createDatabase();
  await cluster.run('create schema pgscore; create table pgscore.theirs ()', database);
  const error = await migratedAs(database);
  expect(error).toMatchObject({ code: 'missing_right', message: 'schema "pgscore" exists and belongs to "postgres"' });
});

test('settings that a DBA gave the installer do not stop it', async () => {
  await dropRoles();
  const database = await cluster.createDatabase();
  const installer = await cluster.createLogin('superuser');
  await cluster.run(`
    alter role ${installer} set statement_timeout = '1ms';
    alter role ${installer} set default_transaction_isolation = serializable;
    alter role ${installer} set default_transaction_read_only = on;
    alter role ${installer} set search_path = theirs`);
  expect(await migratedAs(database, installer)).toBeUndefined();
});

test('a database of another encoding is refused before anything is changed in it', async () => {
  await cluster.run(`create database latin template template0 encoding 'LATIN1' locale 'C'`);
  expect(await migratedAs('latin')).toMatchObject({
    code: 'server_unsupported',
    message: 'this database is encoded in LATIN1, not UTF8',
    remedy: expect.stringContaining("encoding 'UTF8'"),
  });
  expect(await cluster.run(`select from pg_namespace where nspname like 'pgscore%'`, 'latin')).toEqual([]);
  await cluster.run('drop database latin');
});
