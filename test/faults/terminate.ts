import type { Client } from 'pg';

/** The connections that a run over a large table has, and the attempt that it needs once one of them was terminated. */
export const CONNECTIONS_OF_A_RUN = [
  { part: 'reader', attempt: 1 },
  { part: 'scorer', attempt: 1 },
  { part: 'sharded run', attempt: 1 },
  { part: 'snapshot', attempt: 2 },
] as const;

/** Those that a service has beside, and that a run needs. */
export const CONTROL_CONNECTIONS = ['heartbeat', 'claim', 'failures', 'sweep', 'listen', 'check'] as const;

/** Ends the sessions of a part of the service, all or those that wait for a lock; gives how many there were. */
export async function terminate(superuser: Client, part: string, which: 'all' | 'waiting' = 'all'): Promise<number> {
  const { rows } = await superuser.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = $1
        and ($2 = 'all' or wait_event_type = 'Lock')`,
    [`pgscore ${part}`, which],
  );
  return rows.length;
}
