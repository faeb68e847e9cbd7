import type pg from 'pg';
import { sqlState } from '../postgres/sqlstate.ts';
import { asOwner } from './installation.ts';

/** Whether score() can ask the service for models that are not native, and if not, why and what to run. */
export type Dblink =
  | { readonly state: 'ready' }
  /** Others use it where it is: requests are signed. */
  | { readonly state: 'signed'; readonly schema: string }
  | { readonly state: 'missing' | 'elsewhere'; readonly reason: string; readonly remedy: string };

const CREATE = 'create extension dblink schema pgscore_dblink';
const MOVE = 'alter extension dblink set schema pgscore_dblink';

/**
 * Puts the extension dblink into the schema that nobody but pgscore can use, where this role may; where it is in another,
 * makes functions that call it there. It is optional.
 */
export async function ensureDblink(client: pg.Client): Promise<Dblink> {
  const { schema } = await whereDblinkIs(client);
  if (schema === null) await unlessRefused(client.query(CREATE));
  else await asOwner(client, () => (schema === 'pgscore_dblink' ? dropForwarders(client) : forward(client, schema)));
  return dblinkState(client);
}

export async function dblinkState(client: pg.ClientBase): Promise<Dblink> {
  const { schema, available, forwarded } = await whereDblinkIs(client);
  if (schema === 'pgscore_dblink') return { state: 'ready' };
  if (schema !== null && forwarded) return { state: 'signed', schema };
  if (schema !== null) return elsewhere(schema);
  return {
    state: 'missing',
    reason: available ? 'the extension dblink is not installed' : 'this server does not have the extension dblink',
    remedy: available
      ? `As a superuser, or what your provider has instead, run: ${CREATE};`
      : `Install the contrib modules of PostgreSQL on it, then run: ${CREATE};`,
  };
}

type Whereabouts = { readonly schema: string | null; readonly available: boolean; readonly forwarded: boolean };

async function whereDblinkIs(client: pg.ClientBase): Promise<Whereabouts> {
  const { rows } = await client.query<Whereabouts>(
    `select (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'dblink') as schema,
            exists (select from pg_available_extensions where name = 'dblink') as available,
            exists (select from pg_proc p where p.pronamespace = to_regnamespace('pgscore_dblink') and p.proname = '_greet') as forwarded`,
  );
  return rows[0] ?? { schema: null, available: false, forwarded: false };
}

function elsewhere(schema: string): Dblink {
  return {
    state: 'elsewhere',
    reason: `the extension dblink is in schema "${schema}", which pgscore_owner may not use`,
    remedy: `As its owner run: ${MOVE}; or, where others use it there, grant pgscore_owner usage on the schema and execute on its functions, then run pgscore migrate.`,
  };
}

async function forward(client: pg.Client, schema: string): Promise<void> {
  await unlessRefused(client.query('select pgscore_data._forward_dblink($1)', [schema]));
}

async function dropForwarders(client: pg.Client): Promise<void> {
  await client.query('select pgscore_data._drop_forwarders()');
}

/** What this role may not do, or the server does not have, is left undone. */
async function unlessRefused(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!['42501', '58P01', '0A000'].includes(sqlState(error) ?? '')) throw error;
  });
}
