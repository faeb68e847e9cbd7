import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import { databaseUrl } from './database-url.ts';
import { ORDINARY_ROLES, createOrdinaryRoles } from './ordinary-roles.ts';
import { prepareTemplate } from './prepare-template.ts';
import { startTestServer, type TestServer } from './test-server.ts';

/** Roles belong to the whole server, so that two runs on one prepare it one after the other. The number is arbitrary. */
const PREPARATION_LOCK = 7_267_310;

let current: { server: TestServer; prefix: string } | undefined;

/** Starts the server of the run and makes the template database; test files learn of them through the environment. */
export async function startTestRun(): Promise<void> {
  const server = await startTestServer();
  const prefix = `pgscore_test_${randomBytes(4).toString('hex')}`;
  current = { server, prefix };
  await asSuperuser(server.url, async (superuser) => {
    await superuser.query('select pg_advisory_lock($1)', [PREPARATION_LOCK]);
    await createOrdinaryRoles(superuser, server.url);
    await makeTemplate(superuser, server.url, `${prefix}_template`);
    const { rows } = await superuser.query<{ version: string }>("select current_setting('server_version') as version");
    console.log(`\nDatabase tests run on PostgreSQL ${rows[0]?.version} (${server.kind}).`);
  });
  process.env['PGSCORE_TEST_SUPERUSER_URL'] = server.url;
  process.env['PGSCORE_TEST_PREFIX'] = prefix;
}

/** Drops what is left of the run's databases and stops the server. */
export async function endTestRun(): Promise<void> {
  if (current === undefined) return;
  const { server, prefix } = current;
  await asSuperuser(server.url, (superuser) => dropDatabases(superuser, prefix));
  await server.stop();
}

/** Nobody may connect to a database while it is being cloned, so nobody may connect to the template. */
async function makeTemplate(superuser: Client, serverUrl: string, name: string): Promise<void> {
  const create = `create database ${ident(name)} template template0`;
  await superuser.query(create);
  const url = databaseUrl(serverUrl, name);
  await asSuperuser(url, giveSchemas);
  await prepareTemplate(url);
  const close = `alter database ${ident(name)} with allow_connections false`;
  await superuser.query(close);
}

/** A schema of her own for every ordinary role, since nobody may create anything in public. */
export async function giveSchemas(superuser: Client): Promise<void> {
  for (const role of ORDINARY_ROLES) {
    const create = `create schema ${ident(role)} authorization ${ident(role)}`;
    await superuser.query(create);
  }
}

async function dropDatabases(superuser: Client, prefix: string): Promise<void> {
  const { rows } = await superuser.query<{ name: string }>(
    'select datname as name from pg_database where starts_with(datname, $1)',
    [prefix],
  );
  for (const { name } of rows) {
    const drop = `drop database ${ident(name)} with (force)`;
    await superuser.query(drop);
  }
}

async function asSuperuser(url: string, work: (superuser: Client) => Promise<void>): Promise<void> {
  const superuser = new Client({ connectionString: url });
  await superuser.connect();
  try {
    await work(superuser);
  } finally {
    await superuser.end();
  }
}
