import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from, to } from 'pg-copy-streams';
import { PgscoreError, type ErrorCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import { qualified, storable } from '../lib/text.ts';
import { connect, disconnect } from '../postgres/connect.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { isConnectionLoss, sqlState } from '../postgres/sqlstate.ts';
import { statement } from '../postgres/statement.ts';
import { codeOfState, remedyOfWatch } from '../runs/describe-failure.ts';
import { OwnerSession } from '../postgres/owner-session.ts';

/** Sources are spelled as the triggers spell them, and may not be read for as long as the lease of the work. */
const READER_SETTINGS = { TimeZone: 'UTC', lock_timeout: '2s', statement_timeout: '9min' };

/** What a watch needs: to be planned anew as its owner, or to be compared whole. `look_again`: comparisons were marked, and the next look takes one. */
type DueWatch = {
  readonly watch_id: number;
  readonly work: 'renew' | 'compare' | 'look_again';
  readonly handle: string;
  readonly owner: string;
  readonly guard_key: string;
};

const dueWatches = statement<[busyOwners: readonly string[]], DueWatch>(
  'due_watches',
  'select * from pgscore_data._due_watches($1)',
);

const anyWatch = statement<[], { found: boolean }>(
  'any_watch',
  'select exists (select from pgscore_data.watch) as found',
);

/** Owners whose watches are planned or compared at a time. */
const MOST_OWNERS = 4;

/** Plans and compares watches that are due, one of an owner at a time: a source that takes its time holds up nobody else. */
export class WatchUpkeep {
  readonly #connection: DatabaseConnection;
  readonly #open: () => DatabaseConnection;
  readonly #readerUrl: string | undefined;
  readonly #log: Logger;
  readonly #busy = new Map<string, Promise<void>>();
  /** Why watches failed when that was last logged: they are tried again each few seconds. */
  readonly #logged = new Map<number, string>();
  #hasWatches = false;

  /** `open` gives a connection for the work on one watch, which is ended after it. */
  constructor(
    connection: DatabaseConnection,
    open: () => DatabaseConnection,
    readerUrl: string | undefined,
    log: Logger,
  ) {
    this.#connection = connection;
    this.#open = open;
    this.#readerUrl = readerUrl;
    this.#log = log;
  }

  /** Whether there were watches at the last look: without any, nobody need look for changed rows. */
  get hasWatches(): boolean {
    return this.#hasWatches;
  }

  /** Begins what is due; resolves when there is no more to begin. `onDone` is called after each. */
  async begin(onDone: () => void): Promise<void> {
    const [watch] = await this.#connection.use((client) => anyWatch(client));
    this.#hasWatches = watch?.found === true;
    while (this.#hasWatches && this.#busy.size < MOST_OWNERS) {
      const [due] = await this.#connection.use((client) => dueWatches(client, [...this.#busy.keys()]));
      if (due === undefined) return;
      if (due.work === 'look_again') continue;
      const work = this.#work(due).finally(() => {
        this.#busy.delete(due.owner);
        onDone();
      });
      this.#busy.set(due.owner, work);
    }
  }

  /** Resolves when nothing is in hand any more. */
  async drained(): Promise<void> {
    await Promise.all(this.#busy.values());
  }

  async #work(due: DueWatch): Promise<void> {
    const connection = this.#open();
    try {
      this.#logOnce(due, await connection.use((client) => workOn(client, this.#readerUrl, due)));
    } catch (error) {
      this.#log.warn({ err: error, watch: due.watch_id }, 'work on a watch failed and will be tried again');
      // Its connection was lost. If this fails, too, the watch is free when the session is gone that took it.
      await this.#connection.insist((client) => endWork(client, due.watch_id, null, null, null)).catch(() => undefined);
    } finally {
      await connection.end();
    }
  }

  /** Logs no reason: it may quote a row, which is the owner's to read. */
  #logOnce({ watch_id: watch, owner, work }: DueWatch, failure: WatchFailure | null): void {
    if (failure === null && work === 'compare') this.#logged.delete(watch);
    if (failure === null || failure.reason === this.#logged.get(watch)) return;
    this.#logged.set(watch, failure.reason);
    this.#log.warn({ watch, owner, code: failure.code }, 'a watch cannot go on; pgscore.watches says why');
  }
}

type WatchFailure = { readonly code: ErrorCode; readonly reason: string };

/** Returns why the watch cannot go on, or null. */
async function workOn(service: pg.Client, readerUrl: string | undefined, due: DueWatch): Promise<WatchFailure | null> {
  try {
    if (due.work === 'renew') await renew(service, readerUrl, due);
    else await compare(service, readerUrl, due);
    await endWork(service, due.watch_id, null, null, null);
    return null;
  } catch (error) {
    const state = sqlState(error);
    // Where the server itself says so, it is its connection to a node of Citus.
    if (isConnectionLoss(error) && state !== '08006') throw error;
    await service.query('rollback');
    const reason = error instanceof Error ? error.message : String(error);
    const code = codeOfState(state);
    await endWork(service, due.watch_id, code, storable(reason), remedyOf(error) ?? remedyOfWatch(state));
    return { code, reason };
  }
}

function remedyOf(error: unknown): string | undefined {
  if (error instanceof PgscoreError) return error.remedy;
  // Where a policy is forced on the owner of a table, PostgreSQL advises to take it off.
  if (error instanceof pg.DatabaseError && error.routine !== 'check_enable_rls') return error.hint;
  return undefined;
}

const endWork = statement<[watchId: number, code: string | null, error: string | null, remedy: string | null]>(
  'end_watch_work',
  'select pgscore_data._end_watch_work($1, $2, $3, $4)',
);

const watchFunction = statement<[watchId: number], { version: string | null }>(
  'watch_function',
  'select pgscore_data._watch_function($1) as version',
);

/** Has the watch planned by the function of its owner, which is called only as pgscore made it. */
async function renew(service: pg.Client, readerUrl: string | undefined, due: DueWatch): Promise<void> {
  const version = async (): Promise<string | null> => (await watchFunction(service, due.watch_id))[0]?.version ?? null;
  const before = await version();
  if (before === null) throw functionLost(due);
  const session = new OwnerSession(() => connect({ url: readerUrl, applicationName: 'pgscore watch' }));
  try {
    await session.prepare(due.owner);
    await session.submit({ handle: due.handle, guardKey: due.guard_key }, new Date(), async () => {
      if ((await version()) !== before) throw new Error('its function was changed while it ran');
    });
  } finally {
    await session.close();
  }
}

function functionLost({ owner }: DueWatch): PgscoreError {
  const message = `its function in pgscore_sources was changed or dropped, or its owner "${owner}" was dropped or renamed`;
  return new PgscoreError('watch_failed', message, {
    remedy:
      'Watch again: select pgscore.watch(…) with the same target. Where the owner left, a deployer ends the watch: ' +
      'select pgscore.unwatch(…).',
  });
}

type Scan = {
  readonly handle: string | null;
  readonly guard_key: string;
  readonly keys: number;
  /** Columns that an experiment splits by. */
  readonly splits: number;
  readonly row_security: string;
};

/** How the whole source is read: by a function of the owner's, null where it is gone or another's. */
const scanOf = statement<[watchId: number], Scan>(
  'scan_of_watch',
  `select p.proname as handle, h.guard_key, jsonb_array_length(t.key_columns) as keys,
          (select count(*) from pgscore_data.known_plan k cross join jsonb_array_elements(k.plan -> 'columns') c
            where k.plan_id = w.plan_id and c ->> 'role' = 'split')::int as splits,
          case w.arguments ->> 'rls' when 'filter' then 'on' else 'off' end as row_security
     from pgscore_data.watch w
     join pgscore_data.target t using (target_id)
     join pgscore_data.handle h on h.handle_id = w.scan_handle_id
     left join pg_proc p on p.proname = h.name and p.pronamespace = 'pgscore_sources'::regnamespace and p.prosecdef
       and oidvectortypes(p.proargtypes) = 'tid, tid' and pg_get_userbyid(p.proowner) = w.owner
    where w.watch_id = $1`,
);

const compareWatch = statement<[watchId: number]>('compare_watch', 'select pgscore_data._compare_watch($1)');

/** Reads the keys of the whole source, each with a hash of its row, and queues those that the target has otherwise. */
async function compare(service: pg.Client, readerUrl: string | undefined, due: DueWatch): Promise<void> {
  const { watch_id: watch } = due;
  const [scan] = await scanOf(service, watch);
  if (scan === undefined) return;
  if (scan.handle === null) throw functionLost(due);
  await service.query('begin');
  const reader = await connect({ url: readerUrl, applicationName: 'pgscore watch', settings: READER_SETTINGS });
  try {
    await reader.query('begin isolation level read committed read only');
    await reader.query(`select set_config('row_security', $1, false), set_config('pgscore.guard', $2, false)`, [
      scan.row_security,
      scan.guard_key,
    ]);
    const into = 'copy pgscore_data.seen_row (watch_id, key, hash, split_key) from stdin (format binary)';
    await pipeline(reader.query(to(scanQuery(watch, scan.handle, scan))), service.query(from(into)));
  } finally {
    await disconnect(reader);
  }
  await compareWatch(service, watch);
  await service.query('commit');
}

/** The handle gives the columns of the key, then the hash, then what an experiment splits by. */
function scanQuery(watch: number, handle: string, { keys, splits }: Pick<Scan, 'keys' | 'splits'>): string {
  const columns = Array.from({ length: keys }, (_, index) => `c${index + 1}`);
  const spelled = columns.map((column) => `pg_catalog.concat(${column})`);
  const key = `pg_catalog.left(${keys === 1 ? spelled.join() : `array[${spelled.join(', ')}]::text`}, 2701)`;
  const parts = Array.from({ length: splits }, (_, index) => `c${keys + 2 + index}`);
  const joined = `pg_catalog.concat_ws(E'\\x1f', ${parts.join(', ')})`;
  const known = parts.map((part) => `${part} is not null`).join(' and ');
  const split = splits === 0 ? 'null::text' : `case when ${known} then ${joined} end`;
  return `copy (select ${watch}::int, ${key}, c${keys + 1}, ${split}
    from ${qualified('pgscore_sources', handle)}('(0,0)'::pg_catalog.tid, '(4294967295,0)'::pg_catalog.tid)
    where ${columns.map((column) => `${column} is not null`).join(' and ')}) to stdout (format binary)`;
}
