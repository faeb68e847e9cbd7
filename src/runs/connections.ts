import { DatabaseConnection, LOOKING_UP } from '../postgres/connection.ts';

/** No statement of a control connection takes so long, even where it must wait for a lock. */
export const TIMEOUT_MS = 60_000;

/** A connection for short statements; without an answer within `timeoutMs` it is given up. */
export function controlConnection(url: string | undefined, part: string, timeoutMs = TIMEOUT_MS): DatabaseConnection {
  return new DatabaseConnection({ url, applicationName: `pgscore ${part}`, timeoutMs, settings: LOOKING_UP });
}

/** A connection to publish one run: its index may take long, but a service that is stopped half-way must not keep the target. */
export function publicationConnection(url: string | undefined): DatabaseConnection {
  return new DatabaseConnection({
    url,
    applicationName: 'pgscore publish',
    settings: { ...LOOKING_UP, idle_in_transaction_session_timeout: '15s' },
  });
}
