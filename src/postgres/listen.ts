import type pg from 'pg';
import type { Logger } from '../log.ts';
import { backoff } from '../lib/retry.ts';
import { connect, type ConnectOptions, disconnect } from './connect.ts';

const CHANNEL = 'pgscore_work';
const PROBE_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;
const MOST_BACKOFF_MS = 30_000;

/**
 * The one LISTEN connection of a service. A notification is only a hint to look for work: whatever its payload says, and
 * whoever sent it, `wake` is called with it and nothing else. After each (re)connect it listens first and wakes once then, so
 * that work committed in between is found.
 */
export class Listener {
  readonly #options: ConnectOptions;
  readonly #wake: (hint: string) => void;
  readonly #log: Logger;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;

  constructor(options: ConnectOptions, wake: (hint: string) => void, log: Logger) {
    this.#options = options;
    this.#wake = wake;
    this.#log = log;
  }

  get listening(): boolean {
    return this.#client !== undefined;
  }

  async start(): Promise<void> {
    try {
      await this.#listen(await connect(this.#options));
    } catch (error) {
      this.#log.warn({ err: error }, 'listening failed; polling goes on');
      this.#again();
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await disconnect(client);
  }

  async #listen(client: pg.Client): Promise<void> {
    client.on('notification', ({ payload }) => this.#wake(payload ?? ''));
    client.once('end', () => this.#lost(client));
    try {
      await client.query('listen pgscore_work');
    } catch (error) {
      await disconnect(client);
      throw error;
    }
    if (this.#stopped) return disconnect(client);
    this.#client = client;
    this.#failures = 0;
    this.#wake('');
    this.#probeLater(client);
  }

  #lost(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    if (!this.#stopped) this.#log.warn('the LISTEN connection was lost');
    this.#again();
  }

  #again(): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#failures += 1;
    this.#timer = setTimeout(() => void this.start(), backoff(this.#failures, 100, MOST_BACKOFF_MS));
  }

  #probeLater(client: pg.Client): void {
    if (this.#client === client) this.#timer = setTimeout(() => void this.#probe(client), PROBE_MS);
  }

  /** A half-open socket says nothing by itself: ask, and take silence for a loss. */
  async #probe(client: pg.Client): Promise<void> {
    const silence = setTimeout(() => client.connection.stream.destroy(), PROBE_TIMEOUT_MS);
    try {
      const { rows } = await client.query<{ channel: string }>('select pg_listening_channels() as channel');
      if (!rows.some((row) => row.channel === CHANNEL))
        throw new Error('the server does not know of the LISTEN: a pooler stands between');
      this.#probeLater(client);
    } catch (error) {
      this.#log.warn({ err: error }, 'the LISTEN connection does not answer');
      await disconnect(client);
      this.#lost(client);
    } finally {
      clearTimeout(silence);
    }
  }
}
