import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import { atEnd } from './at-end.ts';
import { databaseUrl, type Login } from './database-url.ts';
import { passwordOf, type OrdinaryRole } from './ordinary-roles.ts';
import { prepareClone } from './prepare-clone.ts';

/** A database of one test file, dropped when the file is done. */
export type TestDatabase = {
  readonly name: string;
  /** The URL for an ordinary role or another login; by default for the superuser. */
  url(as?: OrdinaryRole | Login): string;
  /** A connection of its own, closed with the file. */
  client(as?: OrdinaryRole | Login): Promise<Client>;
};

/** A copy of the template, with pgscore installed. To be called at the top of a test file. */
export async function cloneDatabase(): Promise<TestDatabase> {
  const database = await createDatabase(`${testRun().prefix}_template`);
  await prepareClone(database.url());
  return database;
}

/** A copy of the template that nobody adopted, as one that was restored from a backup. To be called at the top of a test file. */
export function restoredDatabase(): Promise<TestDatabase> {
  return createDatabase(`${testRun().prefix}_template`);
}

/** A database with nothing in it. To be called at the top of a test file. */
export function emptyDatabase(): Promise<TestDatabase> {
  return createDatabase('template0');
}

async function createDatabase(template: string): Promise<TestDatabase> {
  const { superuserUrl, prefix } = testRun();
  const name = `${prefix}_${randomBytes(4).toString('hex')}`;
  const superuser = await connect(superuserUrl);
  // To copy the files takes half of the work of writing each page to the log.
  const create = `create database ${ident(name)} template ${ident(template)} strategy file_copy`;
  await superuser.query(create);

  const clients: Client[] = [];
  const url = (as?: OrdinaryRole | Login) => databaseUrl(superuserUrl, name, loginOf(as, superuserUrl));
  atEnd(async () => {
    await Promise.all(clients.map((client) => client.end()));
    const drop = `drop database ${ident(name)} with (force)`;
    await superuser.query(drop);
    await superuser.end();
  });
  return {
    name,
    url,
    client: async (as) => {
      const client = await connect(url(as));
      clients.push(client);
      return client;
    },
  };
}

function loginOf(as: OrdinaryRole | Login | undefined, superuserUrl: string): Login | undefined {
  return typeof as === 'string' ? { user: as, password: passwordOf(as, superuserUrl) } : as;
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  // A connection that a test cuts says so here too; what the test asserts is what its queries say.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function testRun(): { superuserUrl: string; prefix: string } {
  const { PGSCORE_TEST_SUPERUSER_URL: superuserUrl, PGSCORE_TEST_PREFIX: prefix } = process.env;
  if (superuserUrl === undefined || prefix === undefined) {
    throw new Error('only files named *.pg.test.ts, *.e2e.test.ts or *.page.test.ts get a database');
  }
  return { superuserUrl, prefix };
}
