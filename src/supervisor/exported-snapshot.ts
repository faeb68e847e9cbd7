import type pg from 'pg';
import { connect } from '../db/connect.ts';
import { disconnect } from '../db/disconnect.ts';
import { PgscoreError } from '../errors.ts';
import { qualified } from '../lib/ident.ts';
import { rowSecurity, type Run } from '../runs/run.ts';

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
  const client = await connect({
    url: readerUrl,
    applicationName: 'pgscore snapshot',
    settings: { lock_timeout: '10s' },
  });
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

async function begin(client: pg.Client, run: Run): Promise<{ id: string; at: string }> {
  await client.query('begin isolation level repeatable read read only');
  await client.query(`select set_config('pgscore.guard', $1, false), set_config('row_security', $2, false)`, [
    run.handle.guardKey,
    rowSecurity(run),
  ]);
  const lock = lockingRead(run);
  await client.query(lock);
  const { rows } = await client.query<{ id: string; at: string }>(
    'select pg_export_snapshot() as id, clock_timestamp()::text as at',
  );
  const [row] = rows;
  if (row === undefined) throw new Error('pg_export_snapshot() gave no row');
  return row;
}

/** Reads no row, yet takes the lock that a reader takes. A function takes it only when it is called, which LIMIT 0 would spare. */
function lockingRead(run: Run): string {
  const name = qualified('pgscore_sources', run.handle.name);
  return run.handle.kind === 'view' ? `select from ${name} limit 0` : `select from ${name}('(0,0)', '(0,0)')`;
}

function snapshotLost(): PgscoreError {
  return new PgscoreError('snapshot_lost', 'the session that held the snapshot of the run was lost', {
    remedy: 'Submit the run again when the database is well.',
  });
}
