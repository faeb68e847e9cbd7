import { statement } from '../postgres/statement.ts';
import { RUN_COLUMNS, RUN_PARTS, type RunRow } from './run.ts';

export type ShardRow = RunRow & {
  shard: number;
  fence: number;
  /** Claims so far, without those that were handed back. */
  tries: number;
  block_from: string;
  block_to: string | null;
  snapshot_id: string;
  generation: number;
};

/**
 * Claims one open shard for a worker, of any run or only of those that the worker conducts; its fence goes up, so that an
 * earlier holder can no longer commit.
 */
export const claimShard = statement<[worker: string, leaseMs: number, ofAnyRun: boolean], ShardRow>(
  'claim_shard',
  `with open as materialized (
     select s.run_id, s.attempt, s.shard
       from pgscore_data.shard s
       join pgscore_data.run r on r.run_id = s.run_id and r.attempt = s.attempt and r.state = 'running' and ($3 or r.claimed_by = $1)
      where s.state = 'queued' and (s.lease_until is null or s.lease_until < clock_timestamp())
        and not exists (select from pgscore_data.cancellation c where c.run_id = s.run_id)
      order by s.run_id, s.shard limit 1 for update of s skip locked
   ), taken as (
     update pgscore_data.shard s
        set state = 'running', fence = s.fence + 1, claimed_by = $1, lease_until = clock_timestamp() + $2 * interval '1 millisecond'
      where (s.run_id, s.attempt, s.shard) = (select o.run_id, o.attempt, o.shard from open o)
     returning s.*
   )
   select ${RUN_COLUMNS}, s.shard, s.fence, s.fence - s.handed_back as tries, s.block_from, s.block_to, c.snapshot_id, c.generation
     from taken s
     cross join lateral (select x.* from pgscore_data.run x where x.run_id = s.run_id offset 0) c ${RUN_PARTS}`,
);
