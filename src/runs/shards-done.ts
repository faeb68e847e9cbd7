import { statement } from '../postgres/statement.ts';

/** How far the shards of an attempt are, all workers together. */
export const shardsDone = statement<
  [runId: string, attempt: number],
  { shards: string; open: string; rows_done: string; rows_failed: string; cpu_seconds: number }
>(
  'shards_done',
  `select count(*) as shards, count(*) filter (where state <> 'done') as open, coalesce(sum(rows_done), 0)::bigint as rows_done, coalesce(sum(rows_failed), 0)::bigint as rows_failed,
          coalesce(sum(cpu_seconds), 0) as cpu_seconds
     from pgscore_data.shard where run_id = $1 and attempt = $2`,
);
