import type pg from 'pg';
import { retrying } from '../lib/retry.ts';
import { connect, type ConnectOptions, disconnect } from './connect.ts';
import { isConnectionLoss, isTransient } from './sqlstate.ts';

/** One connection that is made when it is needed, and made anew after it was lost. Its users take turns. */
export class DatabaseConnection {
  readonly #options: ConnectOptions;
  #client: Promise<pg.Client> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #ended = false;

  constructor(options: ConnectOptions) {
    this.#options = options;
  }

  get applicationName(): string {
    return this.#options.applicationName;
  }

  client(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    if (this.#ended) return Promise.reject(new Error(`the connection ${this.applicationName} was ended`));
    const opening = connect(this.#options);
    this.#client = opening;
    void opening.then(
      (client) => client.once('end', () => this.#forget(opening)),
      () => this.#forget(opening),
    );
    return opening;
  }

  /** Runs `work` on the connection, after all work that came before; gives the connection up where it was lost meanwhile. */
  use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const mine = this.#turn.then(() => this.#run(work));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /** As `use`, tried again a few times where the database could not take it: for work that may be done twice. */
  insist<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return retrying(() => this.use(work), { attempts: 5, pauseMs: 100, again: isTransient });
  }

  async #run<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const opening = this.client();
    const client = await opening;
    try {
      return await work(client);
    } catch (error) {
      if (isConnectionLoss(error)) {
        this.#forget(opening);
        await disconnect(client);
      }
      throw error;
    }
  }

  /** Ends the connection for good: work that still goes on gets no other. */
  end(): Promise<void> {
    this.#ended = true;
    return this.close();
  }

  /** Ends the connection, also one whose state is not known; the next user gets a new one. */
  async close(): Promise<void> {
    const opening = this.#client;
    this.#client = undefined;
    await opening?.then(disconnect, () => undefined);
  }

  /** The next user gets a new connection, unless another has made one already. */
  #forget(opening: Promise<pg.Client>): void {
    if (this.#client === opening) this.#client = undefined;
  }
}

/**
 * Settings of sessions whose statements look few rows up in tables that grow by thousands of rows a minute: a plan that was
 * made while such a table was small would read all of it, and be kept until autovacuum comes round.
 */
export const LOOKING_UP = { seq_page_cost: '1000' };

/** No statement of a control connection takes so long, even where it must wait for a lock. */
const TIMEOUT_MS = 60_000;

/** A connection for short statements. `part` of pgscore names it; without an answer within `timeoutMs` it is given up. */
export function controlConnection(
  url: string | undefined,
  part: string,
  timeoutMs = TIMEOUT_MS,
  settings: ConnectOptions['settings'] = {},
): DatabaseConnection {
  return new DatabaseConnection({
    url,
    applicationName: `pgscore ${part}`,
    timeoutMs,
    settings: { ...LOOKING_UP, ...settings },
  });
}
