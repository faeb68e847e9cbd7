import type pg from 'pg';

/** A server that lives says good-bye within milliseconds. */
const GOODBYE_MS = 2000;

/** Ends a connection, in whatever state it is; one whose other side says nothing is cut off. Never raises. */
export async function disconnect(client: pg.Client): Promise<void> {
  const cut = setTimeout(() => client.connection.stream.destroy(), GOODBYE_MS);
  await client.end().catch(() => undefined);
  clearTimeout(cut);
}
