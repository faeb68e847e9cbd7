/** How a session of pgscore_reader reads the source of a run through its handle. */
import { qualified } from '../lib/text.ts';
import { rowSecurity, type Run } from './run.ts';

type Query = { readonly text: string; readonly values: string[] };

/** Each statement has a snapshot of its own: one from before the wait for a lock would not see what its holder has committed. */
export const BEGIN_READING: Query = { text: 'begin isolation level read committed read only', values: [] };

/** How long a run waits for whoever alters or drops its source. */
export const LOCK_TIMEOUT = '10s';

/** Makes the handles of a run answer its session. Gives the time as `at`. */
export function takeGuard({ handle }: Run): Query {
  return {
    text: `select set_config('pgscore.guard', $1, false), clock_timestamp()::text as at`,
    values: [handle.guardKey],
  };
}

/**
 * Takes the guard away, and bounds the wait for a lock. The range is none, but is one: a session whose last transaction set
 * it has '' there since, which a view that is planned takes for a mistyped tid.
 */
export function prepareToLock(run: Run, lockTimeout = LOCK_TIMEOUT): Query {
  return {
    text: `select set_config('pgscore.guard', '', false), set_config('row_security', $1, false), set_config('lock_timeout', $2, false),
      set_config('pgscore.block_from', '(0,0)', false), set_config('pgscore.block_to', '(0,0)', false)`,
    values: [rowSecurity(run), lockTimeout],
  };
}

/**
 * Takes the locks on a source that reading it takes, until the transaction ends, and reads nothing. A function takes them
 * only when it is called, which LIMIT 0 would spare; without the guard it computes nothing.
 */
export function lockSource({ handle }: Run): Query {
  const name = qualified('pgscore_sources', handle.name);
  const text =
    handle.kind === 'view'
      ? `select from ${name} limit 0`
      : `select from ${name}('(0,0)'::pg_catalog.tid, '(0,0)'::pg_catalog.tid)`;
  return { text, values: [] };
}
