import { PgscoreError } from '../errors.ts';
import { rowsOf, type Connection } from './connection.ts';

const ASK_EVERY_MS = 1000;
const TIMEOUT_MS = 30_000;

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

  constructor(notify: (notice: string) => void = () => undefined, timeoutMs = TIMEOUT_MS) {
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
