import { statement } from '../db/statement.ts';

/**
 * Gives a run back after a failure that may pass: queued again, or failed where it has been begun `most` times. What
 * the attempt loaded is discarded; no row comes back where the run had ended or changed hands meanwhile.
 */
export const requeueRun = statement<
  [runId: string, attempt: number, most: number, code: string, error: string],
  { state: 'queued' | 'failed' }
>(
  'requeue_run',
  `with given as (
     update pgscore_data.run
        set state = case when attempt < $3 then 'queued' else 'failed' end, phase = null, claimed_by = null, lease_until = null,
            finished_at = case when attempt < $3 then null else clock_timestamp() end,
            error_code = $4, error = case when attempt < $3 then $5 else format('%s (tried %s times)', $5::text, attempt) end
      where run_id = $1 and attempt = $2 and state = 'running'
     returning run_id, state
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select state from given`,
);
