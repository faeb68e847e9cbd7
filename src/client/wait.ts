import { PgscoreError } from '../errors.ts';
import { pause } from '../lib/retry.ts';
import { rowsOf, type Connection } from './connection.ts';
import { ServiceWatch } from './service-watch.ts';

/** How long to wait for the service, and who hears of it. */
export type WaitOptions = {
  /** Seconds after which `still_waiting` is raised; what was waited for goes on. */
  readonly timeoutSeconds?: number | undefined;
  /** Is told in one line that no service is running. After 30 seconds without one, `no_service` is raised. */
  readonly onNotice?: ((notice: string) => void) | undefined;
};

/** One look: the result, or undefined while the service is still at work. */
type Look<Result> = (watch: ServiceWatch) => Promise<Result | undefined>;

/** Looks every `everyMs` until there is a result. */
export async function waitFor<Result>(
  look: Look<Result>,
  what: string,
  everyMs: number,
  { timeoutSeconds = Infinity, onNotice }: WaitOptions,
): Promise<Result> {
  const watch = new ServiceWatch(onNotice);
  const end = performance.now() + timeoutSeconds * 1000;
  for (;;) {
    const result = await look(watch);
    if (result !== undefined) return result;
    if (performance.now() > end) throw stillWaiting(what);
    await pause(everyMs);
  }
}

function stillWaiting(what: string): PgscoreError {
  return new PgscoreError('still_waiting', `${what} is not finished yet`, {
    remedy: 'It goes on by itself: wait longer, or look at the log of the service.',
  });
}

/** The service sees what was submitted only after the commit, so nobody can wait for it inside the transaction. */
export async function expectCommitted(connection: Connection, what: string): Promise<void> {
  const text = 'select pg_catalog.pg_current_xact_id_if_assigned() is not null as open';
  const [row] = await rowsOf<{ open: boolean }>(connection, text, []);
  if (row?.open !== true) return;
  throw new PgscoreError('usage', `${what} is in an open transaction, where the service does not see it`, {
    remedy: 'Call it outside of a transaction, or with wait: false and wait after the commit.',
  });
}
