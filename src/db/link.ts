import type pg from 'pg';
import { connect, type ConnectOptions } from './connect.ts';
import { isConnectionLoss } from './sqlstate.ts';

/** One connection that is made when it is needed, and made anew after it was lost. Its users take turns. */
export class Link {
  readonly #options: ConnectOptions;
  #client: Promise<pg.Client> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ConnectOptions) {
    this.#options = options;
  }

  client(): Promise<pg.Client> {
    this.#client ??= this.#open();
    return this.#client;
  }

  /** Runs `work` on the connection, after all work that came before; gives the connection up where it was lost meanwhile. */
  use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const mine = this.#turn.then(() => this.#run(work));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #run<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.client();
    try {
      return await work(client);
    } catch (error) {
      if (isConnectionLoss(error)) await this.close();
      throw error;
    }
  }

  /** Ends the connection, also one whose state is not known. */
  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.then((open) => open.end()).catch(() => undefined);
  }

  async #open(): Promise<pg.Client> {
    try {
      const client = await connect(this.#options);
      client.once('end', () => {
        this.#client = undefined;
      });
      return client;
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }
}
