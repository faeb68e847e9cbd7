import type pg from 'pg';
import { connect, disconnect, discardAll } from '../postgres/connect.ts';
import type { DecodedBatch } from '../copy/batch.ts';
import type { Around } from '../copy/copy-out.ts';
import { readBatches } from '../copy/read.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { PipelinedStatement } from '../postgres/pipeline.ts';
import { PgscoreError } from '../errors.ts';
import type { PlannedColumn, Run } from '../runs/run.ts';
import type { Job } from '../runs/job.ts';
import { BEGIN_READING, LOCK_TIMEOUT, lockSource, prepareToLock, takeGuard } from '../runs/guarded-reading.ts';
import { qualified } from '../lib/text.ts';
import { isSqlType, type SourceColumn } from '../copy/source-column.ts';

/** A session of pgscore_reader, and the statements before and after the COPY of a job. */
export type Reading = Around & {
  readonly client: pg.Client;
  /** Time of the snapshot of a run in one piece, known with its first row. A shard has the snapshot of its run. */
  readonly snapshotAt?: () => string | undefined;
};

/**
 * The connection that reads sources as pgscore_reader. It serves one requester at a time: the state of the session,
 * which a hostile view may have changed, is discarded before the key of the next requester is set. Its transactions
 * cannot write: a role may change its own password and settings, and a requester can make the handle run code as
 * pgscore_reader.
 */
export class Reader {
  readonly url: string | undefined;
  #client: pg.Client | undefined;
  #requester: string | undefined;
  /** The attempt of a run whose transaction is open. */
  #readingFor: string | undefined;

  constructor(url: string | undefined) {
    this.url = url;
  }

  /**
   * Returns a session and the statements to send before COPY: only after these may it read the source. `lockTimeout`
   * limits how long they wait for a lock.
   */
  async open(job: Job, lockTimeout = LOCK_TIMEOUT): Promise<Reading> {
    const { run, shard } = job;
    const client = await this.#connected();
    const attempt = `${run.runId}/${run.attempt}`;
    if (shard !== null && attempt === this.#readingFor) return { client, before: rangeStatements(job), after: [] };
    await this.release();
    if (this.#requester !== run.requestedBy) await beginAnew(client);
    this.#requester = run.requestedBy;
    if (shard === null || shard.snapshotId === null) return inOneTrip(client, job, lockTimeout);
    this.#readingFor = attempt;
    await importSnapshot(client, shard.snapshotId);
    await client.query(prepareToLock(run, lockTimeout));
    await client.query(takeGuard(run));
    return { client, before: rangeStatements(job), after: [] };
  }

  /** Ends the open transaction; if `runId` is given, only one for that run. */
  async release(runId?: string): Promise<void> {
    if (this.#readingFor === undefined || (runId !== undefined && !this.#readingFor.startsWith(`${runId}/`))) return;
    this.#readingFor = undefined;
    await this.#client?.query('rollback');
  }

  /** Ends the connection, whose state is unknown after a failure. The next job gets a new one. */
  async destroy(): Promise<void> {
    const client = this.#client;
    this.#forget();
    if (client !== undefined) await disconnect(client);
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = await connect({ url: this.url, applicationName: 'pgscore reader' });
    client.once('end', () => {
      if (this.#client === client) this.#forget();
    });
    this.#client = client;
    return client;
  }

  #forget(): void {
    this.#client = undefined;
    this.#requester = undefined;
    this.#readingFor = undefined;
  }
}

/**
 * Discards the state that the last requester left. The server checks every 3 s whether this client is still there, even
 * while a view computes for hours. Servers on Windows cannot, and raise an error.
 */
async function beginAnew(client: pg.Client): Promise<void> {
  await discardAll(client);
  await client.query("set client_connection_check_interval = '3s'").catch(() => undefined);
}

/**
 * Begins the transaction of a run in one piece, reads and ends it, all in one pipeline. It waits for the lock before
 * the COPY takes its snapshot: an earlier snapshot would miss what the holder of the lock committed.
 */
function inOneTrip(client: pg.Client, job: Job, lockTimeout: string): Reading {
  const { run } = job;
  const guarded = new PipelinedStatement<{ at: string }>(takeGuard(run));
  const before = [
    new PipelinedStatement(BEGIN_READING),
    new PipelinedStatement(prepareToLock(run, lockTimeout)),
    new PipelinedStatement(lockSource(run)),
    guarded,
    ...rangeStatements(job),
  ];
  return {
    client,
    before,
    after: [new PipelinedStatement({ text: 'rollback' })],
    snapshotAt: () => guarded.rows[0]?.at,
  };
}

async function importSnapshot(client: pg.Client, snapshotId: string): Promise<void> {
  if (!/^[0-9A-F-]+$/.test(snapshotId)) throw new PgscoreError('internal', `"${snapshotId}" is not a snapshot`);
  const line = `set transaction snapshot '${snapshotId}'`;
  await client.query('begin isolation level repeatable read read only');
  await client.query(line).catch(snapshotProblem);
}

/** 22023 on 15, 42704 on 16 and later: the session that exported the snapshot is gone, and nobody can read it any more. */
function snapshotProblem(cause: unknown): never {
  if (!['22023', '42704'].includes(sqlState(cause) ?? '')) throw cause;
  throw new PgscoreError('snapshot_lost', 'the service that held the snapshot of the run is gone', {
    remedy: 'Look at the log of the service; then submit the run again.',
    cause,
  });
}

/** Past every block that a relation can have. */
const END = 4_294_967_295;

/** The COPY that reads a job's rows through its read handle: key columns, event_time and features, in the order of the plan. */
export function sourceQuery(job: Job): string {
  const { handle, columns } = job.run;
  const name = qualified('pgscore_sources', handle.name);
  const list = columns.map((_, index) => `c${index + 1}`).join(', ');
  const { from, to } = range(job);
  // Anybody may overload the name. A call with exactly these types cannot reach another function.
  const rows = handle.kind === 'view' ? name : `${name}('${from}'::pg_catalog.tid, '${to}'::pg_catalog.tid)`;
  return `copy (select ${list} from ${rows}) to stdout (format binary)`;
}

/**
 * Statements before the COPY. A view handle takes its range from settings, since a condition does not reach into it; a
 * watch takes its keys from settings.
 */
export function rangeStatements(job: Job): readonly PipelinedStatement[] {
  const { keyLists } = job.run;
  if (keyLists !== null)
    return keyLists.map((list, at) => new PipelinedStatement({ text: KEYS, values: [`pgscore.keys_${at + 1}`, list] }));
  if (job.run.handle.kind !== 'view') return [];
  const { from, to } = range(job);
  return [new PipelinedStatement({ text: RANGE, values: [from, to] })];
}

const KEYS = 'select set_config($1, $2, false)';
const RANGE = `select set_config('pgscore.block_from', $1, false), set_config('pgscore.block_to', $2, false)`;

/** The ctid of the first row of the first block, and that of the block behind the last. */
function range({ shard }: Job): { from: string; to: string } {
  return { from: `(${shard?.from ?? 0},0)`, to: `(${shard?.to ?? END},0)` };
}

/** The columns of the COPY stream for the decoder. A feature has the name that the model gives it. */
export function sourceColumns(run: Run): SourceColumn[] {
  return run.columns.map(sourceColumn);
}

function sourceColumn(column: PlannedColumn): SourceColumn {
  const { role, type, width, shape } = column;
  if (role !== 'feature') return { name: column.segment ?? column.name, role };
  if (!isSqlType(type))
    throw new PgscoreError('internal', `column "${column.name}" has the unknown wire type "${type}"`);
  return { name: column.feature ?? column.name, role, type, width, ...(shape === undefined ? {} : { shape }) };
}

/** Time of the snapshot that a run in one piece was read in. */
export function snapshotTime({ snapshotAt }: Reading): string {
  const at = snapshotAt?.();
  if (at === undefined) throw new Error('the snapshot of the run has no time');
  return at;
}

/** Reads the rows of a job, in batches of so many rows. */
export function readSource(
  job: Job,
  { client, before, after }: Reading,
  rows: number,
  { signal, onWait }: { readonly signal: AbortSignal; readonly onWait: () => void },
): AsyncGenerator<DecodedBatch> {
  const columns = sourceColumns(job.run);
  return inOrder(readBatches(client, sourceQuery(job), columns, { rows, signal, before, after }), onWait);
}

const REPORT_MS = 500;

/**
 * The items of a source. Calls onWait while the next one is awaited: a view may compute for minutes before its first
 * row.
 */
export async function* inOrder<T>(source: AsyncIterable<T>, onWait: () => void): AsyncGenerator<T> {
  let waiting = setInterval(onWait, REPORT_MS);
  try {
    for await (const item of source) {
      clearInterval(waiting);
      yield item;
      waiting = setInterval(onWait, REPORT_MS);
    }
  } finally {
    clearInterval(waiting);
  }
}
