import { connect } from '../db/connect.ts';
import { retrying } from '../lib/retrying.ts';
import { sqlState } from '../db/sqlstate.ts';
import { defineAll } from './definitions.ts';
import { recordInstallation } from './installation.ts';
import { runMigrations } from './migrations.ts';
import { ensureRoles, setPassword } from './roles.ts';
import { ensureSchemas } from './schemas.ts';

export type MigrateOptions = {
  readonly url: string | undefined;
  readonly servicePassword?: string | undefined;
  readonly readerPassword?: string | undefined;
};

/** Arbitrary, but the same for every installer of a database. */
const INSTALL_LOCK = 7_409_131_101;

/** Installs pgscore or brings it up to date: roles, schemas, migrations once, definitions always. Safe when ten do it at once. */
export async function migrate(options: MigrateOptions): Promise<{ applied: string[] }> {
  const client = await connect({ url: options.url, applicationName: 'pgscore migrate' });
  try {
    await client.query('select pg_advisory_lock($1)', [INSTALL_LOCK]);
    await ensureRoles(client);
    await ensureSchemas(client);
    const applied = await runMigrations(options.url === undefined ? {} : { connectionString: options.url });
    await retrying(() => defineAll(client), {
      attempts: 10,
      pauseMs: 50,
      again: (error) => sqlState(causeOf(error)) === 'XX000',
    });
    await client.query('set role pgscore_owner');
    await recordInstallation(client);
    await client.query('reset role');
    await setPassword(client, 'pgscore_service', options.servicePassword);
    await setPassword(client, 'pgscore_reader', options.readerPassword);
    return { applied };
  } finally {
    await client.end();
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}
