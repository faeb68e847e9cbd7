import { statement } from '../db/statement.ts';

/** Reopens shards whose worker is silent past its lease, while their run goes on. */
export const recoverShards = statement<[], { run_id: string; shard: number }>(
  'recover_shards',
  `with lost as materialized (
     select run_id, attempt, shard from pgscore_data.shard where state = 'running' and lease_until < clock_timestamp()
      order by run_id, attempt, shard for update skip locked
   )
   update pgscore_data.shard s set state = 'queued', claimed_by = null, lease_until = null, error = 'its worker was lost'
     from lost where (s.run_id, s.attempt, s.shard) = (lost.run_id, lost.attempt, lost.shard)
   returning s.run_id, s.shard`,
);
