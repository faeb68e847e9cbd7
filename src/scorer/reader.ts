import type pg from 'pg';
import { connect } from '../db/connect.ts';
import { PgscoreError } from '../errors.ts';
import type { Job } from './job.ts';

const GUARD = `select set_config('pgscore.guard', $1, false), set_config('row_security', $2, false), set_config('lock_timeout', '10s', false), clock_timestamp()::text as at`;

/**
 * The connection that reads sources as pgscore_reader. It carries one requester at a time: what a hostile view may have
 * left in the session is discarded before the next one's key is set.
 */
export class Reader {
  readonly #url: string | undefined;
  #client: pg.Client | undefined;
  #requester: string | undefined;
  #snapshotOf: string | undefined;

  constructor(url: string | undefined) {
    this.#url = url;
  }

  /** A session that may read the job's source, and the time of the snapshot it reads. */
  async open(job: Job): Promise<{ client: pg.Client; snapshotAt: string | null }> {
    const client = await this.#connected();
    const { run, shard } = job;
    const snapshot = shard === null ? undefined : `${run.runId}/${run.attempt}`;
    if (snapshot !== undefined && snapshot === this.#snapshotOf) return { client, snapshotAt: null };
    await this.release();
    if (this.#requester !== run.requestedBy) await client.query('discard all');
    this.#requester = run.requestedBy;
    if (shard !== null) await importSnapshot(client, shard.snapshotId);
    this.#snapshotOf = snapshot;
    const guarded = await client.query<{ at: string }>(GUARD, [
      run.handle.guardKey,
      run.rls === 'filter' ? 'on' : 'off',
    ]);
    return { client, snapshotAt: shard === null ? (guarded.rows[0]?.at ?? null) : null };
  }

  /** Ends the transaction that holds a run's snapshot; of `runId` only, where it is given. */
  async release(runId?: string): Promise<void> {
    if (this.#snapshotOf === undefined || (runId !== undefined && !this.#snapshotOf.startsWith(`${runId}/`))) return;
    this.#snapshotOf = undefined;
    await this.#client?.query('rollback');
  }

  /** Ends the connection, whose state is not known after a failure; the next job gets a new one. */
  async destroy(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#requester = undefined;
    this.#snapshotOf = undefined;
    await client?.end().catch(() => undefined);
  }

  async #connected(): Promise<pg.Client> {
    this.#client ??= await connect({ url: this.#url, applicationName: 'pgscore reader' });
    return this.#client;
  }
}

async function importSnapshot(client: pg.Client, snapshotId: string): Promise<void> {
  if (!/^[0-9A-F-]+$/.test(snapshotId)) throw new PgscoreError('internal', `"${snapshotId}" is not a snapshot`);
  const line = `set transaction snapshot '${snapshotId}'`;
  await client.query('begin isolation level repeatable read read only');
  await client.query(line);
}
