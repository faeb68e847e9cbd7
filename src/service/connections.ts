import type { ServiceConfig } from '../config.ts';
import { Link, LOOKING_UP } from '../postgres/connection.ts';
import { pageLink } from '../http/page-link.ts';
import { controlLink, PATIENCE_MS } from '../runs/connections.ts';

/** A refresh of many labels, and a comparison of all that a source holds. */
const MONITOR_PATIENCE_MS = 600_000;
/** Claims wait for no lock. */
const CLAIM_PATIENCE_MS = 15_000;

/** The connections of the parts of a service, each for its own short statements. */
export type ControlLinks = Readonly<
  Record<
    'work' | 'settle' | 'check' | 'beat' | 'sweep' | 'tidy' | 'schedule' | 'refresh' | 'labels' | 'alerts' | 'page',
    Link
  >
>;

export function controlLinks({ databaseUrl, leaseMs }: Pick<ServiceConfig, 'databaseUrl' | 'leaseMs'>): ControlLinks {
  return {
    work: claimLink(databaseUrl),
    settle: unheldLink(databaseUrl, 'settle'),
    check: unheldLink(databaseUrl, 'check'),
    // A connection that has died without a word must be replaced while there is still something to renew.
    beat: controlLink(databaseUrl, 'heartbeat', leaseMs / 3),
    sweep: controlLink(databaseUrl, 'sweep'),
    tidy: controlLink(databaseUrl, 'tidy'),
    schedule: controlLink(databaseUrl, 'schedule'),
    refresh: refreshLink(databaseUrl),
    labels: controlLink(databaseUrl, 'labels', MONITOR_PATIENCE_MS),
    alerts: controlLink(databaseUrl, 'alerts', MONITOR_PATIENCE_MS),
    page: pageLink(databaseUrl),
  };
}

/**
 * The connection that claims, which need not wait for the disk: a claim that a crash of the server forgets is work still in
 * the queue, and nothing done with it can have been committed without the claim, which comes before it in the log.
 */
function claimLink(url: string | undefined): Link {
  return new Link({
    url,
    applicationName: 'pgscore claim',
    patienceMs: CLAIM_PATIENCE_MS,
    settings: { ...LOOKING_UP, synchronous_commit: 'off' },
  });
}

/** The connection that refreshes, which need not wait either: labels that a crash of the server forgets to have counted are back in the queue. */
function refreshLink(url: string | undefined): Link {
  return new Link({
    url,
    applicationName: 'pgscore refresh',
    patienceMs: MONITOR_PATIENCE_MS,
    settings: { ...LOOKING_UP, synchronous_commit: 'off' },
  });
}

/** A connection for what all users need done: somebody who keeps a lock on what is hers must not hold up the others. */
function unheldLink(url: string | undefined, part: string): Link {
  return new Link({
    url,
    applicationName: `pgscore ${part}`,
    patienceMs: PATIENCE_MS,
    settings: { ...LOOKING_UP, lock_timeout: '500ms' },
  });
}
