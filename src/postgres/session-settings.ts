import type pg from 'pg';

/** PostgreSQL 15 and 16 lack the setting, and refuse a session that names it at its start. */
const NO_TRANSACTION_TIMEOUT = `select set_config('transaction_timeout', '0', false)
  where current_setting('server_version_num')::int >= 170000`;

const PATIENCE_MS = 10_000;

/** Lifts what a DBA set for people and a start-up option can't undo on every server. */
export async function liftTransactionTimeout(client: pg.Client): Promise<void> {
  const lifting = { text: NO_TRANSACTION_TIMEOUT, query_timeout: PATIENCE_MS };
  await client.query(lifting);
}

/** Leaves the session as it was when it was connected; `discard all` by itself would bring the defaults of its role back. */
export async function discardAll(client: pg.Client): Promise<void> {
  await client.query('discard all');
  await liftTransactionTimeout(client);
}
