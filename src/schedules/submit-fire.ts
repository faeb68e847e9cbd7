import type pg from 'pg';
import { isPassing, sqlState } from '../postgres/sqlstate.ts';
import { type Queryable, statement } from '../postgres/statement.ts';
import type { DueSchedule } from './due.ts';
import { disconnect, discardAll } from '../postgres/connect.ts';
import { qualified } from '../lib/text.ts';

type Verdict =
  | { readonly kind: 'submitted'; readonly run: string }
  /** The overlap rule left it out, or another service was first. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'failed'; readonly error: string }
  /** A lock, a full disk or a server that stops is in the way: to be tried again at the next look. */
  | { readonly kind: 'postponed'; readonly error: string };

const CHANGED =
  'its function in pgscore_sources was changed or dropped. Select pgscore.unschedule(name), then schedule it again';

/**
 * Submits one fire as its owner. The owner may change her function at any time, and one turned into SECURITY INVOKER would
 * run as pgscore_reader, which can change its own password. So it is called only as pgscore.schedule() made it, and what it
 * did is committed only if it was still that version after the call.
 */
export async function submitFire(
  session: OwnerSession,
  service: Queryable,
  schedule: DueSchedule,
  at: Date,
): Promise<Verdict> {
  const version = await fireFunctionVersion(service, schedule.id);
  if (version === undefined) return { kind: 'failed', error: CHANGED };
  await session.prepare(schedule.owner);
  const confirm = async (): Promise<void> => {
    if ((await fireFunctionVersion(service, schedule.id)) !== version) throw new FunctionChanged();
  };
  try {
    const run = await session.submit(schedule, at, confirm);
    return run === null ? { kind: 'settled' } : { kind: 'submitted', run };
  } catch (error) {
    return refused(error);
  }
}

class FunctionChanged extends Error {
  constructor() {
    super('its function was changed while it ran');
  }
}

function refused(error: unknown): Verdict {
  if (isClaimed(error)) return { kind: 'settled' };
  // An internal error passes only by chance, and the owner should see it.
  const passing = error instanceof FunctionChanged || (isPassing(error) && sqlState(error) !== 'XX000');
  return { kind: passing ? 'postponed' : 'failed', error: reason(error) };
}

/** Another service has claimed the fire. An owner could only pretend it to herself. */
function isClaimed(error: unknown): boolean {
  return sqlState(error) === '23505' && error instanceof Error && 'table' in error && error.table === 'schedule_fire';
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = 'hint' in error && typeof error.hint === 'string' ? `. ${error.hint}` : '';
  return `${error.message}${hint}`;
}

/** A submission plans and queues, in milliseconds. For locks it waits little, because others wait for it. */
const STATEMENT_MS = 10_000;
/** When the server does not keep to that. */
const TIMEOUT_MS = 15_000;

const ENTER = `select set_config('pgscore.guard', $1, true), set_config('statement_timeout', $2, true),
  set_config('lock_timeout', '500ms', true), set_config('idle_in_transaction_session_timeout', $3, true)`;

/**
 * A session of pgscore_reader that submits fires, each in a transaction of its own as the owner of its schedule. The guard
 * key goes with the transaction, and whatever an owner's function left in the session goes before the next owner's turn.
 */
export class OwnerSession {
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
  async submit(
    schedule: Pick<DueSchedule, 'handle' | 'guardKey'>,
    at: Date,
    confirm: () => Promise<void>,
  ): Promise<string | null> {
    const client = this.#client;
    if (client === undefined) throw new Error('the session was not prepared');
    try {
      await client.query('begin');
      await client.query(ENTER, [schedule.guardKey, String(STATEMENT_MS), String(TIMEOUT_MS)]);
      const call = {
        text: `select ${qualified('pgscore_sources', schedule.handle)}($1::timestamptz) as run`,
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

const fireFunction = statement<[scheduleId: number], { version: string | null }>(
  'fire_function',
  'select pgscore_data._fire_function($1) as version',
);

/** The version of a schedule's function, if it is as pgscore.schedule() made it; else its owner has dropped or changed it. */
async function fireFunctionVersion(service: Queryable, scheduleId: number): Promise<string | undefined> {
  const [row] = await fireFunction(service, scheduleId);
  return row?.version ?? undefined;
}
