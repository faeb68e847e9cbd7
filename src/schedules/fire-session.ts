import type pg from 'pg';

import { disconnect } from '../postgres/disconnect.ts';
import { discardAll } from '../postgres/session-settings.ts';
import { qualified } from '../lib/ident.ts';
import type { DueSchedule } from './due-schedules.ts';

/** A submission plans and queues, in milliseconds. For locks it waits little, because others wait for it. */
const STATEMENT_MS = 10_000;
/** When the server does not keep to that. */
const PATIENCE_MS = 15_000;

const ENTER = `select set_config('pgscore.guard', $1, true), set_config('statement_timeout', $2, true),
  set_config('lock_timeout', '500ms', true), set_config('idle_in_transaction_session_timeout', $3, true)`;

/**
 * A session of pgscore_reader that submits fires, each in a transaction of its own as the owner of its schedule. The guard
 * key goes with the transaction, and whatever an owner's function left in the session goes before the next owner's turn.
 */
export class FireSession {
  readonly #open: () => Promise<pg.Client>;
  #client: pg.Client | undefined;
  #owner: string | undefined;

  constructor(open: () => Promise<pg.Client>) {
    this.#open = open;
  }

  /** Connects, if it is not connected. Its errors are about the reader, not about a schedule. */
  async prepare(owner: string): Promise<void> {
    this.#client ??= await this.#open();
    if (this.#owner === owner) return;
    if (this.#owner !== undefined) await discardAll(this.#client);
    this.#owner = owner;
  }

  /**
   * Calls a schedule's function for a fire time and commits, if `confirm` then says so.
   *
   * @returns the run, or null where the overlap rule skips it
   * @throws what the function raised, or `confirm`; nothing is submitted then
   */
  async submit(schedule: DueSchedule, at: Date, confirm: () => Promise<void>): Promise<string | null> {
    const client = this.#client;
    if (client === undefined) throw new Error('the session was not prepared');
    try {
      await client.query('begin');
      await client.query(ENTER, [schedule.guardKey, String(STATEMENT_MS), String(PATIENCE_MS)]);
      const call = {
        text: `select ${qualified('pgscore_sources', schedule.handle)}($1::timestamptz) as run`,
        values: [at.toISOString()],
        query_timeout: PATIENCE_MS,
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
