import type { ServiceConfig } from '../config.ts';
import { connect, urlFor, disconnect } from '../postgres/connect.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { PgscoreError } from '../errors.ts';
import { installationState } from '../install/installation.ts';
import { isLoginProblem } from '../postgres/connection-problem.ts';
import { isTransient } from '../postgres/sqlstate.ts';
import type { Logger } from '../log.ts';

/** Whether a service may work on a database: `paused` on a restored copy, until it is adopted. Raises `not_installed`. */
export async function checkDatabase(connection: DatabaseConnection): Promise<'running' | 'paused'> {
  const state = await connection.use(installationState);
  if (state === 'missing') {
    throw new PgscoreError('not_installed', 'this database has no pgscore', {
      remedy: 'Run pgscore migrate as the owner of the database.',
    });
  }
  return state === 'copy' ? 'paused' : 'running';
}

/** Raises what keeps the service from reading sources. */
export async function checkReader(config: ServiceConfig): Promise<void> {
  try {
    await disconnect(await connect({ url: readerUrlOf(config), applicationName: 'pgscore reader' }));
  } catch (error) {
    if (!isLoginProblem(error)) throw error;
    throw new PgscoreError(error.code, error.message, {
      remedy:
        'Give the password of pgscore_reader, who reads sources: PGSCORE_READER_PASSWORD; or its whole address: PGSCORE_READER_URL.',
      cause: error,
    });
  }
}

/** The database as pgscore_reader sees it: as set, else the service's, by its URL or by the PG* variables, with that user. */
export function readerUrlOf({ readerUrl, databaseUrl, readerPassword }: ServiceConfig): string {
  return readerUrl ?? urlFor(databaseUrl, 'pgscore_reader', readerPassword);
}

/** A database that is down comes up one day; one that refuses the service, or has no pgscore, is an error. */
export async function unlessDown(work: () => Promise<void>, log: Logger): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isTransient(error)) throw error;
    log.warn({ err: error }, 'the database does not answer yet; the service goes on trying');
  }
}
