import type pg from 'pg';
import type { Link } from '../postgres/connection.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { transaction } from '../postgres/transaction.ts';
import { beginPublication, RUN_LOST } from './begin-publication.ts';
import { tooManyFailed } from './error-limit.ts';
import { finishRun } from './finish-run.ts';
import { indexGeneration } from './generation.ts';
import { keyTooLong } from './key-too-long.ts';
import { dropHandle } from './drop.ts';
import type { Run } from './run.ts';
import type { Counts } from './job.ts';

export type Loaded = Counts & { readonly generation: number; readonly snapshotAt: string };

/**
 * Publishes a loaded generation: the unique index first, which finds duplicate keys, then one short transaction. Resolves
 * with whether the run was still this worker's; raises what makes it fail.
 */
export function publishRun(link: Link, worker: string, run: Run, loaded: Loaded): Promise<boolean> {
  return link.use((client) => publish(client, worker, run, loaded));
}

async function publish(client: pg.Client, worker: string, run: Run, loaded: Loaded): Promise<boolean> {
  const problem = tooManyFailed(run, loaded.rowsDone, loaded.rowsFailed, await firstReason(client, run, loaded));
  if (problem !== undefined) throw problem;
  await indexGeneration(client, run.target.targetId, loaded.generation).catch((error: unknown) => {
    throw keyTooLong(error, run);
  });
  const published = transaction(client, async () => {
    const [mine] = await beginPublication(client, run.runId, run.attempt, worker, loaded.snapshotAt, null, null);
    if (mine === undefined) return false;
    await finishRun(
      client,
      run.runId,
      loaded.snapshotAt,
      mine.latest,
      loaded.generation,
      loaded.rowsDone,
      loaded.rowsFailed,
      loaded.cpuSeconds,
    );
    // A table whose run is done can be dropped: no view of ours depends on it any more.
    if (run.handle.kind === 'view') await dropHandle(client, run.handle.handleId);
    return true;
  });
  return published.catch((error: unknown) => {
    if (sqlState(error) === RUN_LOST) return false;
    throw error;
  });
}

async function firstReason(client: pg.Client, run: Run, loaded: Loaded): Promise<string | undefined> {
  if (loaded.rowsFailed === 0) return undefined;
  const { rows } = await client.query<{ reason: string }>(
    'select reason from pgscore_data.run_error where run_id = $1 and attempt = $2 limit 1',
    [run.runId, run.attempt],
  );
  return rows[0]?.reason;
}
