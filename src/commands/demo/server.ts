import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type pg from 'pg';
import { connect } from '../../postgres/connect.ts';
import { startEmbedded } from '../../server/start.ts';
import { migrate } from '../../install/migrate.ts';
import { ident } from '../../lib/text.ts';
import { forgetDemo, recordDemo } from '../connection.ts';

const DATABASE = 'demo';

/** The people of the demo: ordinary logins, and what they may do with pgscore. */
const PEOPLE = { dana: ['pgscore_deployer'], ana: ['pgscore_user', 'pgscore_analyst'] } as const;

export type Person = keyof typeof PEOPLE;

export type DemoServer = {
  /** As PostgreSQL writes it. */
  readonly version: string;
  /** Where the data is. */
  readonly dataDir: string;
  readonly serviceUrl: string;
  readonly readerUrl: string;
  /** The connection URL of a person. */
  personUrl(person: Person): string;
  stop(): Promise<void>;
};

/** Starts the embedded PostgreSQL with a fresh demo database: pgscore installed, ordinary roles made, a note left for `pgscore sql`. */
export async function startDemoServer(dataDir: string, notice: (line: string) => void): Promise<DemoServer> {
  const server = await startEmbedded({ dataDir: join(dataDir, 'postgresql'), notice });
  const passwords = new Map<string, string>();
  const login = (user: string) => ({ user, password: password(passwords, user) });
  await recreateDatabase(server.url());
  const adminUrl = server.url(DATABASE);
  await migrate({
    url: adminUrl,
    servicePassword: password(passwords, 'pgscore_service'),
    readerPassword: password(passwords, 'pgscore_reader'),
  });
  await createPeople(adminUrl, (user) => password(passwords, user));
  const personUrl = (person: Person): string => server.url(DATABASE, login(person));
  await recordDemo(dataDir, personUrl('ana'));
  return {
    version: server.version,
    dataDir: server.dataDir,
    serviceUrl: server.url(DATABASE, login('pgscore_service')),
    readerUrl: server.url(DATABASE, login('pgscore_reader')),
    personUrl,
    stop: async () => {
      await forgetDemo(dataDir);
      await server.stop();
    },
  };
}

function password(passwords: Map<string, string>, user: string): string {
  const known = passwords.get(user) ?? randomBytes(18).toString('base64url');
  passwords.set(user, known);
  return known;
}

async function recreateDatabase(url: string): Promise<void> {
  const client = await connect({ url, applicationName: 'pgscore demo' });
  try {
    await client.query(`drop database if exists demo with (force)`);
    await client.query(`create database demo`);
  } finally {
    await client.end();
  }
}

async function createPeople(url: string, passwordOf: (user: string) => string): Promise<void> {
  const client = await connect({ url, applicationName: 'pgscore demo' });
  try {
    for (const [person, rights] of Object.entries(PEOPLE))
      await createPerson(client, person, rights, passwordOf(person));
    // Ana becomes the deployer by SET ROLE alone.
    await client.query('grant dana to ana with inherit false');
    await client.query('create schema flights authorization ana');
    await client.query('alter role ana in database demo set search_path = flights, public');
  } finally {
    await client.end();
  }
}

async function createPerson(
  client: pg.Client,
  person: string,
  rights: readonly string[],
  secret: string,
): Promise<void> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [person]);
  const verb = rowCount === 0 ? 'create' : 'alter';
  const create = `${verb} role ${ident(person)} login password ${client.escapeLiteral(secret)}`;
  const grant = `grant ${rights.map(ident).join(', ')} to ${ident(person)}`;
  await client.query(create);
  await client.query(grant);
}
