import type pg from 'pg';
import { connect } from '../db/connect.ts';
import { disconnect } from '../db/disconnect.ts';
import { sqlState } from '../db/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import { rowSecurity } from '../runs/run.ts';
import type { Job } from './job.ts';

const GUARD = `select set_config('pgscore.guard', $1, false), set_config('row_security', $2, false), set_config('lock_timeout', '10s', false), clock_timestamp()::text as at`;

/**
 * The connection that reads sources as pgscore_reader. It carries one requester at a time: what a hostile view may have
 * left in the session is discarded before the next one's key is set. It reads in transactions that cannot write, because
 * a role may change its own password and settings, and a requester can make her handle run her code as pgscore_reader.
 */
export class Reader {
  readonly #url: string | undefined;
  #client: pg.Client | undefined;
  #requester: string | undefined;
  /** The attempt of a run whose transaction is open. */
  #readingFor: string | undefined;

  constructor(url: string | undefined) {
    this.#url = url;
  }

  /** A session that may read the job's source, and the time of the snapshot it reads. */
  async open(job: Job): Promise<{ client: pg.Client; snapshotAt: string | null }> {
    const client = await this.#connected();
    const { run, shard } = job;
    const attempt = `${run.runId}/${run.attempt}`;
    if (shard !== null && attempt === this.#readingFor) return { client, snapshotAt: null };
    await this.release();
    if (this.#requester !== run.requestedBy) await beginAnew(client);
    this.#requester = run.requestedBy;
    this.#readingFor = attempt;
    await (shard === null ? client.query('begin read only') : importSnapshot(client, shard.snapshotId));
    const guarded = await client.query<{ at: string }>(GUARD, [run.handle.guardKey, rowSecurity(run)]);
    return { client, snapshotAt: shard === null ? (guarded.rows[0]?.at ?? null) : null };
  }

  /** Ends the transaction of a run; of `runId` only, where it is given. */
  async release(runId?: string): Promise<void> {
    if (this.#readingFor === undefined || (runId !== undefined && !this.#readingFor.startsWith(`${runId}/`))) return;
    this.#readingFor = undefined;
    await this.#client?.query('rollback');
  }

  /** Ends the connection, whose state is not known after a failure; the next job gets a new one. */
  async destroy(): Promise<void> {
    const client = this.#client;
    this.#forget();
    if (client !== undefined) await disconnect(client);
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = await connect({ url: this.#url, applicationName: 'pgscore reader' });
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
 * Nothing of the last requester stays. The server is to look every few seconds whether we are still there, as a view that
 * computes for hours would not notice; a server on Windows cannot, and says so.
 */
async function beginAnew(client: pg.Client): Promise<void> {
  await client.query('discard all');
  await client.query("set client_connection_check_interval = '3s'").catch(() => undefined);
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
