import type pg from 'pg';
import { backoff, pause } from '../lib/retry.ts';
import { DatabaseConnection, LOOKING_UP } from '../postgres/connection.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { transaction, statement } from '../postgres/statement.ts';
import { dropHandle } from './tidy.ts';
import { hasArms, type Run } from './run.ts';
import type { PipelinedStatement } from '../postgres/pipeline.ts';
import type { Counts } from './job.ts';
import { LOCK_NOT_AVAILABLE, problemOfWriting, refusalToPublish } from './publication-errors.ts';

export type Loaded = Counts & { readonly generation: number; readonly snapshotAt: string };

/**
 * A session that writes predictions waits 2 s for a lock. If its process is frozen in a transaction, the server ends
 * the session after 15 s, so that others get the target.
 */
export const BRIEF_LOCKS = { lock_timeout: '2s', idle_in_transaction_session_timeout: '15s' };

/** A connection of its own for publishing a run: building the index may take long. */
export function publicationConnection(url: string | undefined): DatabaseConnection {
  return new DatabaseConnection({
    url,
    applicationName: 'pgscore publish',
    settings: { ...LOOKING_UP, ...BRIEF_LOCKS },
  });
}

/**
 * Publishes a loaded generation. First it builds the unique index, which finds duplicate keys. Then it runs one short
 * transaction, again and again while another session holds the target. Resolves with whether the run was still this
 * service's; rejects with the reason if the run fails. Closes the connection before that, so that this session holds no
 * lock any more.
 */
export async function publishRun(
  connection: DatabaseConnection,
  serviceId: string,
  run: Run,
  loaded: Loaded,
): Promise<boolean> {
  try {
    await connection.use((client) => indexLoaded(client, run, loaded));
    return await publishOnceFree(connection, serviceId, run, loaded);
  } finally {
    await connection.end();
  }
}

async function publishOnceFree(
  connection: DatabaseConnection,
  serviceId: string,
  run: Run,
  loaded: Loaded,
): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await connection.use((client) => publishGeneration(client, serviceId, run, loaded));
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
      await connection.close();
      await pause(backoff(tries, 1000, 10_000));
    }
  }
}

async function indexLoaded(client: pg.Client, run: Run, loaded: Loaded): Promise<void> {
  const problem = refusalToPublish(run, loaded.rowsDone, loaded.rowsFailed, await firstReason(client, run, loaded));
  if (problem !== undefined) throw problem;
  await indexGeneration(client, run.target.targetId, loaded.generation).catch((error: unknown) => {
    throw problemOfWriting(error, run);
  });
}

async function publishGeneration(client: pg.Client, serviceId: string, run: Run, loaded: Loaded): Promise<boolean> {
  const published = transaction(client, async () => {
    const [mine] = await beginPublication(client, run.runId, run.attempt, serviceId, loaded.snapshotAt, null, null);
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
      run.hashedAs,
    );
    if (hasArms(run)) await finishArms(client, run.runId);
    // The owner can drop a table once its run is done: no view of pgscore depends on it any more.
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

/** Makes an empty partition for the predictions of one attempt. It must be committed before rows go in. */
export const createGeneration = statement<[runId: string, attempt: number], { generation: number }>(
  'create_generation',
  'select pgscore_data._create_generation($1, $2) as generation',
);

/** Builds the unique index over a loaded generation; a duplicate key raises 23505. */
export const indexGeneration = statement<[targetId: number, generation: number]>(
  'index_generation',
  'select pgscore_data._index_generation($1, $2)',
);

/**
 * Ends the loading of an unsharded run, in the transaction that copied its predictions in. Returns no row if the run is
 * no longer this service's.
 */
export const recordGeneration = statement<
  [
    runId: string,
    attempt: number,
    serviceId: string,
    generation: number,
    snapshotAt: string,
    rowsDone: number,
    rowsFailed: number,
    cpuSeconds: number,
  ],
  { run_id: string }
>(
  'record_generation',
  `update pgscore_data.run
      set phase = 'publishing', generation = $4, snapshot_at = $5, rows_done = $6, rows_failed = $7, cpu_seconds = $8
    where run_id = $1 and attempt = $2 and claimed_by = $3 and state = 'running'
   returning run_id`,
);

/** SQLSTATE for a run that another service has by now, or that was cancelled or has ended. */
export const RUN_LOST = 'PS001';
/** SQLSTATE for a target that is not as it was expected to be. */
export const TARGET_CHANGED = 'PS002';

/**
 * First step of a publishing transaction: locks the run and its target. `latest` says whether the latest view will show
 * the run. If expected values are given and differ, it raises TARGET_CHANGED, so that steps which rely on them can
 * follow in the same pipeline. The run is updated once, at the end: a second update in one transaction would check its
 * foreign keys again.
 */
export const beginPublication = statement<
  [
    runId: string,
    attempt: number,
    serviceId: string,
    snapshotAt: string,
    expectedLatest: boolean | null,
    expectedGeneration: number | null,
  ],
  { latest: boolean; current_generation: number; current_rows: string }
>(
  'begin_publication',
  'select latest, current_generation, current_rows from pgscore_data._begin_publication($1, $2, $3, $4, $5, $6)',
);

/**
 * Last step of a publishing transaction: the run is done, its generation is part of the history and, if `latest`, the
 * one that readers see. One row of the target changes, so a reader sees all of the run or nothing.
 */
export const finishRun = statement<
  [
    runId: string,
    snapshotAt: string,
    latest: boolean,
    generation: number,
    rowsDone: number,
    rowsFailed: number,
    cpuSeconds: number,
    hashedAs: string | null,
  ],
  { run_id: string }
>(
  'finish_run',
  `with done as (
     update pgscore_data.run
        set state = 'done', phase = null, finished_at = clock_timestamp(), snapshot_at = $2, published = $3, generation = $4,
            rows_done = $5, rows_failed = $6, rows_expected = $5, rows_unchanged = case when only_changed then 0 end, cpu_seconds = $7, lease_until = null, error_code = null, error = null, remedy = null
      where run_id = $1
     returning run_id, target_id
   ), shown as (
     update pgscore_data.target t set current_generation = $4, current_snapshot_at = $2, current_rows = $5, hashed_as = $8
      where t.target_id = (select target_id from done) and $3
   ), history as (
     update pgscore_data.generation g set state = 'published' where g.target_id = (select target_id from done) and g.generation = $4 and g.state = 'loading'
   )
   select run_id from done`,
);

const finishArms = statement<[runId: string], { run_id: string }>(
  'finish_arms',
  'select pgscore_data._finish_arms($1) as run_id',
);

/** Statements after the last step of a publication: the rows of each arm become a run of the arm's version. */
export function finishArmsStatements(run: Run): PipelinedStatement[] {
  return hasArms(run) ? [finishArms.pipelined(run.runId)] : [];
}
