import { statement } from '../postgres/statement.ts';

/**
 * Takes runs from services that are silent past their lease: queued again, or failed where they were tried `most` times. Those
 * that the caller holds under their present attempt are let be.
 */
export const recoverRuns = statement<
  [heldRuns: string[], heldAttempts: number[], most: number],
  { run_id: string; state: string; attempt: number }
>(
  'recover_runs',
  `with lost as materialized (
     select r.run_id, r.attempt - r.handed_back as tries,
            case when exists (select from pgscore_data.cancellation c where c.run_id = r.run_id) then 'cancelled'
                 when r.attempt - r.handed_back < $3 then 'queued' else 'failed' end as state
       from pgscore_data.run r where r.state = 'running' and r.lease_until < clock_timestamp()
        and (r.run_id, r.attempt) not in (select * from unnest($1::bigint[], $2::int[]))
      order by r.run_id for no key update skip locked
   ), given as (
     update pgscore_data.run r
        set state = lost.state, phase = null, claimed_by = null, lease_until = null,
            finished_at = case when lost.state = 'queued' then null else clock_timestamp() end,
            error_code = 'service_lost', error = format('the service that scored it was lost (tried %s times)', tries),
            remedy = 'Look at the log of the service; then submit the run again.'
       from lost where r.run_id = lost.run_id
     returning r.run_id, r.state, r.attempt
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select run_id, state, attempt from given`,
);
