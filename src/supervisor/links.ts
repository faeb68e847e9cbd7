import { Link } from '../db/link.ts';

/** No statement of a control connection takes so long: without an answer by then, the connection is dead. */
const PATIENCE_MS = 60_000;

/** A connection for the short statements of one part of the service. */
export function controlLink(url: string | undefined, part: string): Link {
  return new Link({ url, applicationName: `pgscore ${part}`, patienceMs: PATIENCE_MS });
}

/** A connection to publish one run: its index may take long, but a service that is stopped half-way must not keep the target. */
export function publicationLink(url: string | undefined): Link {
  return new Link({
    url,
    applicationName: 'pgscore publish',
    settings: { idle_in_transaction_session_timeout: '15s' },
  });
}
