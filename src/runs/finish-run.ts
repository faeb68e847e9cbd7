import { statement } from '../db/statement.ts';

/**
 * Last step of a publishing transaction: the run is done, its generation is part of the history and, where `latest`, the
 * one that readers see. One row of the target changes, so a reader sees all of the run or nothing.
 */
export const finishRun = statement<
  [runId: string, latest: boolean, generation: number, rowsDone: number, rowsFailed: number, cpuSeconds: number],
  { run_id: string }
>(
  'finish_run',
  `with done as (
     update pgscore_data.run
        set state = 'done', phase = null, finished_at = clock_timestamp(), published = $2, generation = $3,
            rows_done = $4, rows_failed = $5, rows_expected = $4, cpu_seconds = $6, lease_until = null, error_code = null, error = null, remedy = null
      where run_id = $1
     returning run_id, target_id, snapshot_at
   ), shown as (
     update pgscore_data.target t set current_generation = $3, current_snapshot_at = done.snapshot_at, current_rows = $4
       from done where t.target_id = done.target_id and $2
   ), history as (
     update pgscore_data.generation g set state = 'published' from done where g.target_id = done.target_id and g.generation = $3 and g.state = 'loading'
   )
   select run_id from done`,
);
