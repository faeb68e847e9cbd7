import { afterAll } from '@jest/globals';
import { Client } from 'pg';
import { startDisposable } from '../../src/server/start.ts';
import { ident } from '../../src/lib/text.ts';
import { dataFolder } from '../support/data-folder.ts';
import { programsUnderTest } from '../support/test-server.ts';

export type FreshCluster = {
  /** The URL of a database for a login, by default the superuser. */
  url(database: string, user?: string): string;
  /** Runs statements as the superuser, in `postgres` unless another database is named. */
  run(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  /** Creates a database, owned by `owner` where one is given, as a copy of `template` where one is given, and returns its name. */
  createDatabase(owner?: string, template?: string): Promise<string>;
  /** Creates a login without privileges, or with those given, and returns its name. */
  createLogin(privileges?: string): Promise<string>;
};

const PASSWORD = 'of every test login';

/** A server of the file's own, without any role of pgscore, since roles belong to the whole server. */
export async function freshCluster(): Promise<FreshCluster> {
  const server = await startDisposable({
    folder: await dataFolder(),
    settings: { jit: 'off' },
    ...programsUnderTest(),
  });
  afterAll(() => server.stop());
  let count = 0;
  const run = (sql: string, database = 'postgres') => query(server.url(database), sql);
  return {
    run,
    url: (database, user) => server.url(database, user === undefined ? undefined : { user, password: PASSWORD }),
    createDatabase: async (owner = 'postgres', template = 'template1') => {
      const name = `database_${(count += 1)}`;
      await run(`create database ${ident(name)} owner ${ident(owner)} template ${ident(template)} strategy file_copy`);
      return name;
    },
    createLogin: async (privileges = '') => {
      const name = `login_${(count += 1)}`;
      await run(`create role ${ident(name)} login password '${PASSWORD}' ${privileges}`);
      return name;
    },
  };
}

/** Runs statements on a connection of their own and returns the rows of the last. */
export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const results: unknown = await client.query(sql);
    const last = Array.isArray(results) ? results.at(-1) : results;
    return last.rows;
  } finally {
    await client.end();
  }
}
