import type pg from 'pg';
import { connect } from '../postgres/connect.ts';
import { disconnect } from '../postgres/disconnect.ts';
import { PgscoreError } from '../errors.ts';
import { rowSecurity, type Run } from './run.ts';
import { LOCK_TIMEOUT, lockingQuery, PREPARE_TO_LOCK } from './source-lock.ts';

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
  const lock = lockingQuery(run);
  await client.query(lock);
  const { rows } = await client.query<{ id: string; at: string }>(
    'select pg_export_snapshot() as id, clock_timestamp()::text as at',
  );
  const [row] = rows;
  if (row === undefined) throw new Error('pg_export_snapshot() gave no row');
  return row;
}

function snapshotLost(): PgscoreError {
  return new PgscoreError('snapshot_lost', 'the session that held the snapshot of the run was lost', {
    remedy: 'Submit the run again when the database is well.',
  });
}
