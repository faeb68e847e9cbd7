import { statement } from '../postgres/statement.ts';

/**
 * Last step of a publishing transaction: the run is done, its generation is part of the history and, where `latest`, the
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
  ],
  { run_id: string }
>(
  'finish_run',
  `with done as (
     update pgscore_data.run
        set state = 'done', phase = null, finished_at = clock_timestamp(), snapshot_at = $2, published = $3, generation = $4,
            rows_done = $5, rows_failed = $6, rows_expected = $5, cpu_seconds = $7, lease_until = null, error_code = null, error = null, remedy = null
      where run_id = $1
     returning run_id, target_id
   ), shown as (
     update pgscore_data.target t set current_generation = $4, current_snapshot_at = $2, current_rows = $5
      where t.target_id = (select target_id from done) and $3
   ), history as (
     update pgscore_data.generation g set state = 'published' where g.target_id = (select target_id from done) and g.generation = $4 and g.state = 'loading'
   )
   select run_id from done`,
);
