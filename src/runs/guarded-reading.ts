/** How sessions of pgscore_reader lock and read the source of a run through its handle. */
import type pg from 'pg';
import { qualified } from '../lib/text.ts';
import { rowSecurity, type Run } from './run.ts';
import { connect, disconnect } from '../postgres/connect.ts';
import { PgscoreError } from '../errors.ts';

type Query = { readonly text: string; readonly values: string[] };

/**
 * READ COMMITTED: each statement takes its own snapshot. One from before the wait for a lock would miss what the holder
 * of the lock committed.
 */
export const BEGIN_READING: Query = { text: 'begin isolation level read committed read only', values: [] };

/** How long a run waits for whoever alters or drops its source. */
export const LOCK_TIMEOUT = '10s';

/** Sets the guard key, without which the read handle of a run gives no rows. Returns the time as `at`. */
export function takeGuard({ handle }: Run): Query {
  return {
    text: `select set_config('pgscore.guard', $1, false), clock_timestamp()::text as at`,
    values: [handle.guardKey],
  };
}

/** Takes the guard away, and limits how long the session waits for a lock. */
export function prepareToLock(run: Run, lockTimeout = LOCK_TIMEOUT): Query {
  return {
    text: `select set_config('pgscore.guard', '', false), set_config('row_security', $1, false), set_config('lock_timeout', $2, false)`,
    values: [rowSecurity(run), lockTimeout],
  };
}

/**
 * Locks a source as reading it does, until the transaction ends, but reads nothing. A function handle must be called
 * for that, which LIMIT 0 would skip; without the guard key it gives no rows.
 */
export function lockSource({ handle }: Run): Query {
  const name = qualified('pgscore_sources', handle.name);
  const text =
    handle.kind === 'view'
      ? `select from ${name} limit 0`
      : `select from ${name}('(0,0)'::pg_catalog.tid, '(0,0)'::pg_catalog.tid)`;
  return { text, values: [] };
}

/** A snapshot of the database that every shard of a run reads, held open by a session of pgscore_reader. */
export type ExportedSnapshot = {
  /** Undefined for a distributed table, whose nodes share no snapshot. */
  readonly id: string | undefined;
  readonly at: string;
  /** Resolves, with the error, if the session is lost while it is needed. */
  readonly lost: Promise<Error>;
  close(): Promise<void>;
};

/** Exports a snapshot, and locks the source against being dropped or altered until it is closed. */
export async function exportSnapshot(readerUrl: string | undefined, run: Run): Promise<ExportedSnapshot> {
  const client = await connect({ url: readerUrl, applicationName: 'pgscore snapshot' });
  let closing = false;
  const lost = new Promise<Error>((resolve) => {
    client.once('end', () => {
      if (!closing) resolve(snapshotLost());
    });
  });
  const close = async (): Promise<void> => {
    closing = true;
    await disconnect(client);
  };
  try {
    return { ...(await begin(client, run)), lost, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Locks first. The snapshot is that of the statement which exports it, and lives as long as the transaction. */
async function begin(client: pg.Client, run: Run): Promise<Pick<ExportedSnapshot, 'id' | 'at'>> {
  await client.query(BEGIN_READING);
  await client.query(prepareToLock(run));
  // The handle of a distributed table locks the table only if the guard key is set.
  const isDistributed = run.sourceKind === 'distributed';
  if (isDistributed) await client.query(takeGuard(run));
  await client.query(lockSource(run));
  const { rows } = await client.query<{ id: string | null; at: string }>(isDistributed ? TIME : EXPORT);
  const [row] = rows;
  if (row === undefined) throw new Error('the snapshot was not exported');
  return { id: row.id ?? undefined, at: row.at };
}

const EXPORT = 'select pg_export_snapshot() as id, clock_timestamp()::text as at';
const TIME = 'select null as id, clock_timestamp()::text as at';

function snapshotLost(): PgscoreError {
  return new PgscoreError('snapshot_lost', 'the session that held the snapshot of the run was lost', {
    remedy: 'Submit the run again when the database is well.',
  });
}
