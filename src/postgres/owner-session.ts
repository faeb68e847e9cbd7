import type pg from 'pg';
import { qualified } from '../lib/text.ts';
import { disconnect, discardAll } from './connect.ts';

/** A submission plans and queues, in milliseconds. For locks it waits little, because others wait for it. */
const STATEMENT_MS = 10_000;
/** When the server does not keep to that. */
const TIMEOUT_MS = 15_000;

const ENTER = `select set_config('pgscore.guard', $1, true), set_config('statement_timeout', $2, true),
  set_config('lock_timeout', '500ms', true), set_config('idle_in_transaction_session_timeout', $3, true)`;

/** A function in pgscore_sources that runs as the owner of a schedule or a watch, and the key that makes it answer. */
type OwnersFunction = { readonly handle: string; readonly guardKey: string };

/**
 * A session of pgscore_reader that calls functions of owners, each in a transaction of its own. The guard key goes with the
 * transaction, and whatever an owner's function left in the session goes before the next owner's turn.
 */
export class OwnerSession {
  readonly #open: () => Promise<pg.Client>;
  #client: pg.Client | undefined;
  #owner: string | undefined;

  constructor(open: () => Promise<pg.Client>) {
    this.#open = open;
  }

  /** Connects, if it is not connected. Its errors are about the reader, not about what the owner made. */
  async prepare(owner: string): Promise<void> {
    this.#client ??= await this.#open();
    if (this.#owner === owner) return;
    if (this.#owner !== undefined) await discardAll(this.#client);
    this.#owner = owner;
  }

  /**
   * Calls a function for a time and commits, if `confirm` then says so.
   *
   * @returns the run that it submitted, or null
   * @throws what the function raised, or `confirm`; nothing is submitted then
   */
  async submit({ handle, guardKey }: OwnersFunction, at: Date, confirm: () => Promise<void>): Promise<string | null> {
    const client = this.#client;
    if (client === undefined) throw new Error('the session was not prepared');
    try {
      await client.query('begin');
      await client.query(ENTER, [guardKey, String(STATEMENT_MS), String(TIMEOUT_MS)]);
      const call = {
        text: `select ${qualified('pgscore_sources', handle)}($1::timestamptz) as run`,
        values: [at.toISOString()],
        query_timeout: TIMEOUT_MS,
      };
      const { rows } = await client.query<{ run: string | null }>(call);
      await confirm();
      await client.query('commit');
      return rows[0]?.run ?? null;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Ends the connection, also one that is stuck. */
  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#owner = undefined;
    if (client !== undefined) await disconnect(client);
  }
}
