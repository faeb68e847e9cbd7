import { statement } from '../postgres/statement.ts';

/** Ends the loading of an unsharded run in the transaction that copied its predictions in. No row: the run is no longer ours. */
export const recordGeneration = statement<
  [
    runId: string,
    attempt: number,
    worker: string,
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
      set generation = $4, snapshot_at = $5, rows_done = $6, rows_failed = $7, cpu_seconds = $8
    where run_id = $1 and attempt = $2 and claimed_by = $3 and state = 'running'
   returning run_id`,
);
