import type { Client } from 'pg';

/** The server's version as PostgreSQL counts, such as 180004. */
export async function serverVersionOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  );
  return rows[0]?.version ?? 0;
}
