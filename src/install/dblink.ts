import type pg from 'pg';
import { sqlState } from '../db/sqlstate.ts';

/** Whether score() can ask the service for models that are not native, and if not, why and what to run. */
export type Dblink =
  | { readonly state: 'ready' }
  | { readonly state: 'missing' | 'elsewhere'; readonly reason: string; readonly remedy: string };

const CREATE = 'create extension dblink schema pgscore_dblink';
const MOVE = 'alter extension dblink set schema pgscore_dblink';

/** Puts the extension dblink into the schema that nobody but pgscore can use, where this role may. It is optional. */
export async function ensureDblink(client: pg.Client): Promise<Dblink> {
  const found = await dblinkState(client);
  if (found.state !== 'missing') return found;
  try {
    await client.query(CREATE);
    return { state: 'ready' };
  } catch (error) {
    if (['42501', '58P01', '0A000'].includes(sqlState(error) ?? '')) return dblinkState(client);
    throw error;
  }
}

export async function dblinkState(client: pg.ClientBase): Promise<Dblink> {
  const { rows } = await client.query<{ schema: string | null; available: boolean }>(
    `select (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'dblink') as schema,
            exists (select from pg_available_extensions where name = 'dblink') as available`,
  );
  const [{ schema, available } = { schema: null, available: false }] = rows;
  if (schema === 'pgscore_dblink') return { state: 'ready' };
  if (schema !== null) {
    return {
      state: 'elsewhere',
      reason: `the extension dblink is in schema "${schema}", where others could use the connection of score()`,
      remedy: `As its owner run: ${MOVE};`,
    };
  }
  return {
    state: 'missing',
    reason: available ? 'the extension dblink is not installed' : 'this server does not have the extension dblink',
    remedy: available
      ? `As a superuser, or what your provider has instead, run: ${CREATE};`
      : `Install the contrib modules of PostgreSQL on it, then run: ${CREATE};`,
  };
}
