import { statement } from '../postgres/statement.ts';

/** Reopens shards whose worker is silent past its lease, while their run goes on. Those that the caller holds under their present fence are let be. */
export const recoverShards = statement<
  [heldRuns: string[], heldAttempts: number[], heldShards: number[], heldFences: number[]],
  { run_id: string; shard: number }
>(
  'recover_shards',
  `with lost as materialized (
     select run_id, attempt, shard from pgscore_data.shard where state = 'running' and lease_until < clock_timestamp()
        and (run_id, attempt, shard, fence) not in (select * from unnest($1::bigint[], $2::int[], $3::int[], $4::int[]))
      order by run_id, attempt, shard for update skip locked
   )
   update pgscore_data.shard s set state = 'queued', claimed_by = null, lease_until = null, error = 'its worker was lost'
     from lost where (s.run_id, s.attempt, s.shard) = (lost.run_id, lost.attempt, lost.shard)
   returning s.run_id, s.shard`,
);
