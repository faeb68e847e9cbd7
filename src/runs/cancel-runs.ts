import { statement } from '../postgres/statement.ts';

/**
 * Ends the runs whose cancellation was asked for, of a worker and of the queue; their generations are discarded. One that is
 * locked is passed by until the next time.
 */
export const cancelRuns = statement<[worker: string], { run_id: string; model: string }>(
  'cancel_runs',
  `with asked as materialized (
     select r.run_id from pgscore_data.run r
      where (r.state = 'running' and r.claimed_by = $1 or r.state = 'queued')
        and exists (select from pgscore_data.cancellation c where c.run_id = r.run_id)
      order by r.run_id for no key update skip locked
   ), cancelled as (
     update pgscore_data.run r
        set state = 'cancelled', phase = null, finished_at = clock_timestamp(), lease_until = null
       from asked where r.run_id = asked.run_id
     returning r.run_id, r.version_id
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from cancelled where g.run_id = cancelled.run_id and g.state = 'loading'
   )
   select c.run_id, m.name as model from cancelled c join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)`,
);
