import { PgscoreError } from '../errors.ts';
import { pause } from '../lib/retry.ts';
import { rowsOf, type Connection } from './connection.ts';
import type { OptionNames } from './options.ts';

/** How long to wait for the service, and who hears of it. */
export type WaitOptions = {
  /** Seconds after which `still_waiting` is raised; what was waited for goes on. */
  readonly timeoutSeconds?: number | undefined;
  /** Called with a line that says that no service is running. After 30 seconds without one, `no_service` is raised. */
  readonly onNotice?: ((notice: string) => void) | undefined;
};

export const WAIT_OPTIONS: OptionNames<WaitOptions> = { timeoutSeconds: 'optional', onNotice: 'optional' };

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

const ASK_EVERY_MS = 1000;
const NO_SERVICE_MS = 30_000;

/** Whether a service shares the queue of this database. */
async function serviceRuns(connection: Connection): Promise<boolean> {
  const rows = await rowsOf(connection, `select from pgscore.services where state = 'running' limit 1`, []);
  return rows.length > 0;
}

/** Checks once a second whether a service runs. Says so if none does, and raises `no_service` after 30 s. */
export class ServiceWatch {
  readonly #notify: (notice: string) => void;
  readonly #timeoutMs: number;
  #asked = Number.NEGATIVE_INFINITY;
  #missingSince: number | undefined;

  constructor(notify: (notice: string) => void = () => undefined, timeoutMs = NO_SERVICE_MS) {
    this.#notify = notify;
    this.#timeoutMs = timeoutMs;
  }

  /** `what` is stored and waits, such as "run 7". */
  async expectService(connection: Connection, what: string): Promise<void> {
    const now = performance.now();
    if (now - this.#asked < ASK_EVERY_MS) return;
    this.#asked = now;
    if (await serviceRuns(connection)) {
      this.#missingSince = undefined;
      return;
    }
    if (this.#missingSince === undefined) {
      this.#missingSince = now;
      this.#notify(`No service is running; ${what} waits for one: pgscore serve`);
    }
    if (now - this.#missingSince >= this.#timeoutMs) throw noService(what);
  }
}

function noService(what: string): PgscoreError {
  return new PgscoreError('no_service', `${what} is stored, but no service runs to take it`, {
    remedy: 'Start pgscore serve; it goes on by itself then.',
  });
}
