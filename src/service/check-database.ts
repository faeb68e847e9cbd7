import type { ServiceConfig } from '../config.ts';
import { connect, urlFor } from '../postgres/connect.ts';
import { disconnect } from '../postgres/disconnect.ts';
import type { Link } from '../postgres/connection.ts';
import { PgscoreError } from '../errors.ts';
import { installationState } from '../install/installation.ts';

/** Whether a service may work on a database: `paused` on a restored copy, until it is adopted. Raises `not_installed`. */
export async function welcome(link: Link): Promise<'running' | 'paused'> {
  const state = await link.use(installationState);
  if (state === 'missing') {
    throw new PgscoreError('not_installed', 'this database has no pgscore', {
      remedy: 'Run pgscore migrate as the owner of the database.',
    });
  }
  return state === 'copy' ? 'paused' : 'running';
}

/** Raises what keeps the service from reading sources. */
export async function checkReader(config: ServiceConfig): Promise<void> {
  await disconnect(await connect({ url: readerUrlOf(config), applicationName: 'pgscore reader' }));
}

/** The database as pgscore_reader sees it: as set, else the service's, by its URL or by the PG* variables, with that user. */
export function readerUrlOf({ readerUrl, databaseUrl, readerPassword }: ServiceConfig): string {
  return readerUrl ?? urlFor(databaseUrl, 'pgscore_reader', readerPassword);
}
