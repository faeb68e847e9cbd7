import { statement } from '../db/statement.ts';

/** Takes runs from services that are silent past their lease: queued again, or failed where they were begun `most` times. */
export const recoverRuns = statement<[most: number], { run_id: string; state: string; attempt: number }>(
  'recover_runs',
  `with lost as materialized (
     select run_id from pgscore_data.run where state = 'running' and lease_until < clock_timestamp() order by run_id for update skip locked
   ), given as (
     update pgscore_data.run r
        set state = case when r.cancel_requested_at is not null then 'cancelled' when r.attempt < $1 then 'queued' else 'failed' end,
            phase = null, claimed_by = null, lease_until = null,
            finished_at = case when r.attempt < $1 and r.cancel_requested_at is null then null else clock_timestamp() end,
            error_code = 'service_lost', error = format('the service that scored it was lost (tried %s times)', r.attempt),
            remedy = 'Look at the log of the service; then submit the run again.'
       from lost where r.run_id = lost.run_id
     returning r.run_id, r.state, r.attempt
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select run_id, state, attempt from given`,
);
