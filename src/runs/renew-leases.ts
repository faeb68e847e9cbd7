import { statement } from '../postgres/statement.ts';

/**
 * Renews the leases of runs that a worker holds and shows their progress; those that come back are still its own. A row
 * that somebody has locked, such as a requester who has asked for its cancellation and not committed, is passed by: to
 * wait for it would cost all others their leases.
 */
export const renewRuns = statement<
  [worker: string, leaseMs: number, runIds: string[], rowsDone: number[], rowsFailed: number[]],
  { run_id: string }
>(
  'renew_runs',
  `with held as materialized (
     select r.run_id from pgscore_data.run r
      where r.run_id = any($3::bigint[]) and r.claimed_by = $1 and r.state = 'running'
      order by r.run_id for no key update skip locked
   ), renewed as (
     update pgscore_data.run r
        set lease_until = clock_timestamp() + $2 * interval '1 millisecond',
            rows_done = greatest(r.rows_done, p.rows_done), rows_failed = greatest(r.rows_failed, p.rows_failed)
       from held join unnest($3::bigint[], $4::bigint[], $5::bigint[]) as p (run_id, rows_done, rows_failed) using (run_id)
      where r.run_id = held.run_id
   )
   select r.run_id from pgscore_data.run r where r.run_id = any($3::bigint[]) and r.claimed_by = $1 and r.state = 'running'`,
);

/** The same for shards; one of a run that has ended or was begun anew does not come back. */
export const renewShards = statement<
  [
    worker: string,
    leaseMs: number,
    runIds: string[],
    attempts: number[],
    shards: number[],
    fences: number[],
    rowsDone: number[],
    rowsFailed: number[],
  ],
  { run_id: string; attempt: number; shard: number }
>(
  'renew_shards',
  `with mine as materialized (
     select s.run_id, s.attempt, s.shard, p.rows_done, p.rows_failed
       from unnest($3::bigint[], $4::int[], $5::int[], $6::int[], $7::bigint[], $8::bigint[]) as p (run_id, attempt, shard, fence, rows_done, rows_failed)
       join pgscore_data.shard s using (run_id, attempt, shard, fence)
       join pgscore_data.run r using (run_id, attempt)
      where s.claimed_by = $1 and s.state = 'running' and r.state = 'running'
   ), held as materialized (
     select s.run_id, s.attempt, s.shard from pgscore_data.shard s join mine using (run_id, attempt, shard)
      where s.claimed_by = $1 and s.state = 'running'
      order by s.run_id, s.attempt, s.shard for no key update of s skip locked
   ), renewed as (
     update pgscore_data.shard s
        set lease_until = clock_timestamp() + $2 * interval '1 millisecond', rows_done = mine.rows_done, rows_failed = mine.rows_failed
       from held join mine using (run_id, attempt, shard)
      where (s.run_id, s.attempt, s.shard) = (held.run_id, held.attempt, held.shard)
   )
   select run_id, attempt, shard from mine`,
);
