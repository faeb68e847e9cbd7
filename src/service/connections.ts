import type { ServiceConfig } from '../config.ts';
import { DatabaseConnection, LOOKING_UP } from '../postgres/connection.ts';
import { pageConnection } from '../http/page-link.ts';
import { controlConnection, TIMEOUT_MS } from '../runs/connections.ts';

/** A refresh of many labels, a comparison of all that a source holds, a large run that is folded into the history. */
const LONG_TIMEOUT_MS = 600_000;
/** Claims wait for no lock. */
const CLAIM_TIMEOUT_MS = 15_000;

/** The connections of the parts of a service, each for its own short statements. */
export type Connections = Readonly<
  Record<
    | 'work'
    | 'settle'
    | 'check'
    | 'beat'
    | 'sweep'
    | 'tidy'
    | 'schedule'
    | 'refresh'
    | 'labels'
    | 'alerts'
    | 'watches'
    | 'page',
    DatabaseConnection
  >
>;

export function openConnections({ databaseUrl, leaseMs }: Pick<ServiceConfig, 'databaseUrl' | 'leaseMs'>): Connections {
  return {
    work: claimConnection(databaseUrl),
    settle: unheldConnection(databaseUrl, 'settle'),
    check: unheldConnection(databaseUrl, 'check'),
    // A connection that has died without a word must be replaced while there is still something to renew.
    beat: controlConnection(databaseUrl, 'heartbeat', leaseMs / 3),
    sweep: controlConnection(databaseUrl, 'sweep'),
    tidy: controlConnection(databaseUrl, 'tidy', LONG_TIMEOUT_MS),
    schedule: controlConnection(databaseUrl, 'schedule'),
    refresh: refreshConnection(databaseUrl),
    labels: controlConnection(databaseUrl, 'labels', LONG_TIMEOUT_MS),
    alerts: controlConnection(databaseUrl, 'alerts', LONG_TIMEOUT_MS),
    watches: controlConnection(databaseUrl, 'watches'),
    page: pageConnection(databaseUrl),
  };
}

/** A connection to plan or compare one watch. */
export function watchConnection(url: string | undefined): DatabaseConnection {
  return controlConnection(url, 'watches', LONG_TIMEOUT_MS);
}

/**
 * The connection that claims, which need not wait for the disk: a claim that a crash of the server forgets is work still in
 * the queue, and nothing done with it can have been committed without the claim, which comes before it in the log.
 */
function claimConnection(url: string | undefined): DatabaseConnection {
  return new DatabaseConnection({
    url,
    applicationName: 'pgscore claim',
    timeoutMs: CLAIM_TIMEOUT_MS,
    settings: { ...LOOKING_UP, synchronous_commit: 'off' },
  });
}

/** The connection that refreshes, which need not wait either: labels that a crash of the server forgets to have counted are back in the queue. */
function refreshConnection(url: string | undefined): DatabaseConnection {
  return new DatabaseConnection({
    url,
    applicationName: 'pgscore refresh',
    timeoutMs: LONG_TIMEOUT_MS,
    // Before the timeout of this side, which ends the connection and not the statement with its locks.
    settings: { ...LOOKING_UP, synchronous_commit: 'off', statement_timeout: `${LONG_TIMEOUT_MS - 10_000}ms` },
  });
}

/** A connection for what all users need done: somebody who keeps a lock on what is hers must not hold up the others. */
function unheldConnection(url: string | undefined, part: string): DatabaseConnection {
  return new DatabaseConnection({
    url,
    applicationName: `pgscore ${part}`,
    timeoutMs: TIMEOUT_MS,
    settings: { ...LOOKING_UP, lock_timeout: '500ms' },
  });
}
