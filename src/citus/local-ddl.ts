import type pg from 'pg';

/** Keeps what a session creates from now on to the coordinator: Citus would repeat it on each node as pgscore_owner, which may not log in. */
export async function keepDdlLocal(client: pg.Client): Promise<void> {
  await client.query(
    "select set_config('citus.enable_ddl_propagation', 'off', false) from pg_extension where extname = 'citus'",
  );
}
