import { statement } from '../postgres/statement.ts';

/**
 * Gives a run back after a failure that may pass: queued again, cancelled where that was asked for, or failed where it has
 * been tried `most` times. Where `waitMs` is given, it is not claimed before that time, and this was no try. What the attempt loaded is discarded; no row comes back where the run had ended or changed hands
 * meanwhile.
 */
export const requeueRun = statement<
  [
    runId: string,
    attempt: number,
    most: number,
    code: string,
    error: string,
    remedy: string | null,
    waitMs: number | null,
  ],
  { state: 'queued' | 'cancelled' | 'failed' }
>(
  'requeue_run',
  `with ending as materialized (
     select r.run_id, r.attempt - r.handed_back as tries,
            case when exists (select from pgscore_data.cancellation c where c.run_id = r.run_id) then 'cancelled'
                 when r.attempt - r.handed_back < $3 or $7::float8 is not null then 'queued' else 'failed' end as state
       from pgscore_data.run r where r.run_id = $1 and r.attempt = $2 and r.state = 'running'
        for no key update
   ), given as (
     update pgscore_data.run r
        set state = ending.state, phase = null, claimed_by = null,
            lease_until = clock_timestamp() + $7 * interval '1 millisecond', handed_back = r.handed_back + ($7::float8 is not null)::int,
            finished_at = case when ending.state = 'queued' then null else clock_timestamp() end,
            error_code = $4, error = case when ending.state = 'failed' then format('%s (tried %s times)', $5::text, tries) else $5 end, remedy = $6
       from ending where r.run_id = ending.run_id
     returning r.run_id, r.state, r.plan_id
   ), forgotten as (
     update pgscore_data.known_plan k set request = null from given where k.plan_id = given.plan_id and given.state = 'failed'
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select state from given`,
);
