import { statement } from '../db/statement.ts';

/** Renews the leases of what a worker holds and shows its progress; the runs and shards that come back are still its own. */
export const renewRuns = statement<
  [worker: string, leaseMs: number, runIds: string[], rowsDone: number[], rowsFailed: number[]],
  { run_id: string; cancelled: boolean }
>(
  'renew_runs',
  `update pgscore_data.run r
      set lease_until = clock_timestamp() + $2 * interval '1 millisecond',
          rows_done = greatest(r.rows_done, h.rows_done), rows_failed = greatest(r.rows_failed, h.rows_failed)
     from (select * from unnest($3::bigint[], $4::bigint[], $5::bigint[]) as u (run_id, rows_done, rows_failed) order by run_id) h
    where r.run_id = h.run_id and r.claimed_by = $1 and r.state = 'running'
   returning r.run_id, r.cancel_requested_at is not null as cancelled`,
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
  `update pgscore_data.shard s
      set lease_until = clock_timestamp() + $2 * interval '1 millisecond', rows_done = h.rows_done, rows_failed = h.rows_failed
     from (select * from unnest($3::bigint[], $4::int[], $5::int[], $6::int[], $7::bigint[], $8::bigint[]) as u (run_id, attempt, shard, fence, rows_done, rows_failed)
            order by run_id, attempt, shard) h
    where s.run_id = h.run_id and s.attempt = h.attempt and s.shard = h.shard and s.fence = h.fence and s.claimed_by = $1 and s.state = 'running'
      and exists (select from pgscore_data.run r where r.run_id = s.run_id and r.attempt = s.attempt and r.state = 'running')
   returning s.run_id, s.attempt, s.shard`,
);
