import { qualified } from '../lib/ident.ts';
import type { Run } from './run.ts';

/** How long a run waits for whoever alters or drops its source. */
export const LOCK_TIMEOUT = '10s';

/**
 * Takes the guard away, and bounds the wait for a lock: its values are the run's row_security and that bound. The range is
 * none, but is one: a session whose last transaction set it has '' there since, which a view that is planned takes for a
 * mistyped tid.
 */
export const PREPARE_TO_LOCK = `select set_config('pgscore.guard', '', false), set_config('row_security', $1, false), set_config('lock_timeout', $2, false),
  set_config('pgscore.block_from', '(0,0)', false), set_config('pgscore.block_to', '(0,0)', false)`;

/**
 * Takes the locks on a source that reading it takes, until the transaction ends, and reads nothing. A function takes them
 * only when it is called, which LIMIT 0 would spare; without the guard it computes nothing.
 */
export function lockingQuery({ handle }: Run): string {
  const name = qualified('pgscore_sources', handle.name);
  return handle.kind === 'view'
    ? `select from ${name} limit 0`
    : `select from ${name}('(0,0)'::pg_catalog.tid, '(0,0)'::pg_catalog.tid)`;
}
