import { DatabaseConnection } from '../postgres/connection.ts';

/** What a look at the page may cost the database at most. */
const STATEMENT_SECONDS = 5;

/** The one connection of the page: it can only read, and not for long. */
export function pageConnection(url: string | undefined): DatabaseConnection {
  return new DatabaseConnection({
    url,
    applicationName: 'pgscore page',
    timeoutMs: 2 * STATEMENT_SECONDS * 1000,
    settings: {
      default_transaction_read_only: 'on',
      statement_timeout: `${STATEMENT_SECONDS}s`,
      lock_timeout: '500ms',
    },
  });
}
