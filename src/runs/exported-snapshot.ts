import type pg from 'pg';
import { connect, disconnect } from '../postgres/connect.ts';
import { PgscoreError } from '../errors.ts';
import { COORDINATOR } from './distributed-source.ts';
import { rowSecurity, type Run } from './run.ts';
import { qualified } from '../lib/text.ts';

/** A snapshot of the database that every shard of a run reads, held open by a session of pgscore_reader. */
export type ExportedSnapshot = {
  readonly id: string;
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

/**
 * The lock comes first: a snapshot from before the wait for it would not see what whoever held it has committed. Hence READ
 * COMMITTED, where the statement that exports has a snapshot of its own, which lives as long as the transaction.
 */
async function begin(client: pg.Client, run: Run): Promise<{ id: string; at: string }> {
  await client.query('begin isolation level read committed read only');
  await client.query(PREPARE_TO_LOCK, [rowSecurity(run), LOCK_TIMEOUT]);
  // A distributed table has no snapshot that its nodes share. Its handle locks it where it has its guard.
  if (run.sourceKind === 'shards') await client.query(GUARD, [run.handle.guardKey]);
  const lock = lockingQuery(run);
  await client.query(lock);
  if (run.sourceKind === 'shards') return lockedAt(client);
  const { rows } = await client.query<{ id: string; at: string }>(
    'select pg_export_snapshot() as id, clock_timestamp()::text as at',
  );
  const [row] = rows;
  if (row === undefined) throw new Error('pg_export_snapshot() gave no row');
  return row;
}

async function lockedAt(client: pg.Client): Promise<{ id: string; at: string }> {
  const { rows } = await client.query<{ at: string }>('select clock_timestamp()::text as at');
  const [row] = rows;
  if (row === undefined) throw new Error('clock_timestamp() gave no row');
  return { id: COORDINATOR, at: row.at };
}

function snapshotLost(): PgscoreError {
  return new PgscoreError('snapshot_lost', 'the session that held the snapshot of the run was lost', {
    remedy: 'Submit the run again when the database is well.',
  });
}

/** How long a run waits for whoever alters or drops its source. */
export const LOCK_TIMEOUT = '10s';

/** Makes the handles of a run answer its session. */
export const GUARD = `select set_config('pgscore.guard', $1, false), clock_timestamp()::text as at`;

/**
 * Takes the guard away, and bounds the wait for a lock: its values are the run's row_security and that bound. The range is
 * none, but is one: a session whose last transaction set it has '' there since, which a view that is planned takes for a
 * mistyped tid.
 */
export const PREPARE_TO_LOCK = `select set_config('pgscore.guard', '', false), set_config('row_security', $1, false), set_config('lock_timeout', $2, false),
  set_config('pgscore.block_from', '(0,0)', false), set_config('pgscore.block_to', '(0,0)', false)`;

/**
 * Takes the locks on a source that reading it takes, until the transaction ends, and reads nothing. A function takes them
 * only when it is called, which LIMIT 0 would spare; without the guard it computes nothing.
 */
export function lockingQuery({ handle }: Run): string {
  const name = qualified('pgscore_sources', handle.name);
  return handle.kind === 'view'
    ? `select from ${name} limit 0`
    : `select from ${name}('(0,0)'::pg_catalog.tid, '(0,0)'::pg_catalog.tid)`;
}
