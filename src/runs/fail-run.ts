import { statement } from '../postgres/statement.ts';

/** Ends an attempt of a run with its reason, if it still goes on; its generation is discarded, and its plan not used again. */
export const failRun = statement<
  [
    runId: string,
    attempt: number,
    code: string,
    error: string,
    remedy: string | null,
    rowsDone: number,
    rowsFailed: number,
  ],
  { run_id: string }
>(
  'fail_run',
  `with failed as (
     update pgscore_data.run
        set state = 'failed', phase = null, finished_at = clock_timestamp(), lease_until = null, error_code = $3, error = $4, remedy = $5,
            rows_done = greatest($6, shards.rows_done), rows_failed = greatest($7, shards.rows_failed)
       from (select coalesce(sum(s.rows_done), 0) as rows_done, coalesce(sum(s.rows_failed), 0) as rows_failed
               from pgscore_data.shard s where s.run_id = $1 and s.attempt = $2) shards
      where run_id = $1 and attempt = $2 and state = 'running'
     returning run_id, plan_id
   ), forgotten as (
     update pgscore_data.known_plan k set request = null from failed where k.plan_id = failed.plan_id
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from failed where g.run_id = failed.run_id and g.state = 'loading'
   )
   select run_id from failed`,
);
