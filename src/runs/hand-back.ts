import { statement } from '../postgres/statement.ts';

/** Gives back what a worker that stops still holds. The attempt, which fences, stays; it does not count as a try. A lease that is locked runs out. */
export const handBackRuns = statement<[worker: string], { run_id: string }>(
  'hand_back_runs',
  `with held as materialized (
     select r.run_id, exists (select from pgscore_data.cancellation c where c.run_id = r.run_id) as cancelled
       from pgscore_data.run r where r.claimed_by = $1 and r.state = 'running' order by r.run_id for no key update skip locked
   ), given as (
     update pgscore_data.run r
        set state = case when held.cancelled then 'cancelled' else 'queued' end,
            finished_at = case when held.cancelled then clock_timestamp() end,
            phase = null, claimed_by = null, lease_until = null, handed_back = r.handed_back + 1
       from held where r.run_id = held.run_id
     returning r.run_id
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select run_id from given`,
);

/** The same for its shards of runs that another worker conducts. */
export const handBackShards = statement<[worker: string], { run_id: string; shard: number }>(
  'hand_back_shards',
  `with held as materialized (
     select run_id, attempt, shard from pgscore_data.shard where claimed_by = $1 and state = 'running' order by run_id, attempt, shard for update skip locked
   )
   update pgscore_data.shard s set state = 'queued', claimed_by = null, lease_until = null, handed_back = s.handed_back + 1
     from held where (s.run_id, s.attempt, s.shard) = (held.run_id, held.attempt, held.shard)
   returning s.run_id, s.shard`,
);

/** The same for a version whose check is under way. */
export const handBackVersions = statement<[worker: string]>(
  'hand_back_versions',
  `update pgscore_data.version set claimed_by = null, lease_until = null where claimed_by = $1 and state = 'checking'`,
);
