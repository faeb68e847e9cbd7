import { catalog, rowsOf } from '../postgres/catalog.ts';
import type { Queryable } from '../postgres/statement.ts';
import { PgscoreError } from '../errors.ts';
import type { Output } from './output.ts';

const ASK_EVERY_MS = 1000;
const TIMEOUT_MS = 30_000;

const running = catalog.selectFrom('pgscore.workers').select('worker').where('state', '=', 'running').limit(1);

/** Whether a service shares the queue of this database. */
export async function serviceRuns(client: Queryable): Promise<boolean> {
  return (await rowsOf(client, running)).length > 0;
}

/** Asks now and then whether a service runs while something waits for one; says so where none does, and gives up after 30 s. */
export class ServiceWatch {
  readonly #output: Output;
  readonly #timeoutMs: number;
  #asked = Number.NEGATIVE_INFINITY;
  #missingSince: number | undefined;

  constructor(output: Output, timeoutMs = TIMEOUT_MS) {
    this.#output = output;
    this.#timeoutMs = timeoutMs;
  }

  /** `what` is stored and waits, such as "run 7". */
  async expectService(client: Queryable, what: string): Promise<void> {
    const now = performance.now();
    if (now - this.#asked < ASK_EVERY_MS) return;
    this.#asked = now;
    if (await serviceRuns(client)) {
      this.#missingSince = undefined;
      return;
    }
    if (this.#missingSince === undefined) {
      this.#missingSince = now;
      this.#output.note(`No service is running; ${what} waits for one: pgscore serve`);
    }
    if (now - this.#missingSince >= this.#timeoutMs) throw noService(what);
  }
}

function noService(what: string): PgscoreError {
  return new PgscoreError('no_service', `${what} is stored, but no service runs to take it`, {
    remedy: 'Start pgscore serve; it goes on by itself then.',
  });
}
