import type pg from 'pg';
import { connect, disconnect } from '../postgres/connect.ts';
import { PgscoreError } from '../errors.ts';
import { BEGIN_READING, lockSource, prepareToLock, takeGuard } from './guarded-reading.ts';
import type { Run } from './run.ts';

/** A snapshot of the database that every shard of a run reads, held open by a session of pgscore_reader. */
export type ExportedSnapshot = {
  /** Undefined of a distributed table, whose nodes share no snapshot. */
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

/** The lock comes first. The snapshot is that of the statement which exports it, and lives as long as the transaction. */
async function begin(client: pg.Client, run: Run): Promise<Pick<ExportedSnapshot, 'id' | 'at'>> {
  await client.query(BEGIN_READING);
  await client.query(prepareToLock(run));
  // The handle of a distributed table locks it where it has its guard.
  if (run.sourceKind === 'shards') await client.query(takeGuard(run));
  await client.query(lockSource(run));
  if (run.sourceKind === 'shards') return lockedAt(client);
  const { rows } = await client.query<{ id: string; at: string }>(
    'select pg_export_snapshot() as id, clock_timestamp()::text as at',
  );
  const [row] = rows;
  if (row === undefined) throw new Error('pg_export_snapshot() gave no row');
  return row;
}

async function lockedAt(client: pg.Client): Promise<Pick<ExportedSnapshot, 'id' | 'at'>> {
  const { rows } = await client.query<{ at: string }>('select clock_timestamp()::text as at');
  const [row] = rows;
  if (row === undefined) throw new Error('clock_timestamp() gave no row');
  return { id: undefined, at: row.at };
}

function snapshotLost(): PgscoreError {
  return new PgscoreError('snapshot_lost', 'the session that held the snapshot of the run was lost', {
    remedy: 'Submit the run again when the database is well.',
  });
}
