import pgpass from 'pgpass';
import type { Connecting } from 'pgpass';

/**
 * The password that ~/.pgpass, or the file that PGPASSFILE names, has for a connection. node-pg would look there too, but
 * with a warning on standard error each time.
 */
export function passwordOfFile({ host, port, database, user }: Connecting): Promise<string | undefined> {
  return new Promise((resolve) => {
    pgpass({ host, port, database, user }, resolve);
  });
}
