import type pg from 'pg';
import { citusOf } from '../citus/nodes.ts';
import { PgscoreError } from '../errors.ts';

/** The oldest PostgreSQL that pgscore runs on. */
export const OLDEST_MAJOR = 15;

/** The newest PostgreSQL that pgscore was tried on. */
export const NEWEST_MAJOR = 18;

/** The latter says nothing of what its bytes mean: they are taken for UTF-8. */
export const ENCODINGS = ['UTF8', 'SQL_ASCII'];

/** Refuses where nothing can be installed: a server that is too old, one that only follows another, a database of another encoding. */
export async function checkServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: string; number: number; standby: boolean; encoding: string }>(
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
            pg_is_in_recovery() as standby, current_setting('server_encoding') as encoding`,
  );
  const [server] = rows;
  if (server === undefined) return;
  if (server.number < OLDEST_MAJOR * 10_000) {
    throw new PgscoreError('server_unsupported', `this server is PostgreSQL ${server.version}`, {
      remedy: `Use PostgreSQL ${OLDEST_MAJOR} to ${NEWEST_MAJOR}.`,
    });
  }
  if (server.standby) {
    throw new PgscoreError('server_unsupported', 'this server is a standby, which only reads', {
      remedy: 'Connect to the primary; target_session_attrs or the cluster manager says which it is.',
    });
  }
  if ((await citusOf(client))?.coordinator === false) {
    throw new PgscoreError('server_unsupported', 'this server is a worker of Citus', {
      remedy: 'Connect to the coordinator.',
    });
  }
  if (!ENCODINGS.includes(server.encoding)) {
    throw new PgscoreError('server_unsupported', `this database is encoded in ${server.encoding}, not UTF8`, {
      remedy: "Make a database with: create database … template template0 encoding 'UTF8'.",
    });
  }
}
