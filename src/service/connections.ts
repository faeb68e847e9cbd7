import type { ServiceConfig } from '../config.ts';
import { controlConnection, DatabaseConnection } from '../postgres/connection.ts';

/** A refresh of many labels, a comparison of all that a source holds, a large run that is folded into the history. */
const LONG_TIMEOUT_MS = 600_000;
const CLAIM_TIMEOUT_MS = 15_000;

export type Connections = ReturnType<typeof openConnections>;

/** Opens the connections of the parts of a service, each for its own short statements. */
export function openConnections({ databaseUrl: url, leaseMs }: Pick<ServiceConfig, 'databaseUrl' | 'leaseMs'>) {
  return {
    work: controlConnection(url, 'claim', CLAIM_TIMEOUT_MS, CLAIMING),
    failures: controlConnection(url, 'failures', undefined, UNHELD),
    check: controlConnection(url, 'check', undefined, UNHELD),
    // A connection that has died without a word must be replaced while there is still something to renew.
    beat: controlConnection(url, 'heartbeat', leaseMs / 3),
    sweep: controlConnection(url, 'sweep'),
    tidy: controlConnection(url, 'tidy', LONG_TIMEOUT_MS, UNHELD),
    schedule: controlConnection(url, 'schedule'),
    refresh: controlConnection(url, 'refresh', LONG_TIMEOUT_MS, REFRESHING),
    labels: controlConnection(url, 'labels', LONG_TIMEOUT_MS, HELD_BRIEFLY),
    alerts: controlConnection(url, 'alerts', LONG_TIMEOUT_MS, HELD_BRIEFLY),
    watches: controlConnection(url, 'watches'),
    page: pageConnection(url),
  };
}

/** A connection to plan or compare one watch. */
export function watchConnection(url: string | undefined): DatabaseConnection {
  return controlConnection(url, 'watches', LONG_TIMEOUT_MS, HELD_BRIEFLY);
}

/**
 * Claims need not wait for the disk: one that a crash of the server forgets is work still in the queue, and nothing done with it
 * can have been committed without it, as it comes before it in the log.
 */
const UNFLUSHED = { synchronous_commit: 'off' };

/** What all users need done: a user who keeps a lock on a table of their own must not hold up the others. */
const UNHELD = { lock_timeout: '500ms' };

/** What is done source by source: one whose owner left a transaction open comes later, and the others soon. */
const HELD_BRIEFLY = { lock_timeout: '2s' };

/** Ended by the server before this side gives it up: a claim that committed unheard would keep its runs until their lease ends. */
const CLAIMING = { ...UNFLUSHED, ...UNHELD, statement_timeout: `${CLAIM_TIMEOUT_MS - 3000}ms` };

/** Nor need a refresh: labels that a crash of the server forgets to have counted are back in the queue. */
const REFRESHING = {
  ...UNFLUSHED,
  ...UNHELD,
  // Before the timeout of this side, which ends the connection and not the statement with its locks.
  statement_timeout: `${LONG_TIMEOUT_MS - 10_000}ms`,
};

/** What a look at the page may cost the database at most. */
const STATEMENT_SECONDS = 5;

/** The one connection of the page: it can only read, and not for long. */
function pageConnection(url: string | undefined): DatabaseConnection {
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
