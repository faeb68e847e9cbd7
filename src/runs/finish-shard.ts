import { statement } from '../postgres/statement.ts';

/** Ends a shard in the transaction that copied its predictions in. No row comes back where the fence is no longer ours: roll back. */
export const finishShard = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    fence: number,
    rowsDone: number,
    rowsFailed: number,
    cpuSeconds: number,
  ],
  { shard: number }
>(
  'finish_shard',
  `update pgscore_data.shard s
      set state = 'done', rows_done = $5, rows_failed = $6, cpu_seconds = s.cpu_seconds + $7
    where s.run_id = $1 and s.attempt = $2 and s.shard = $3 and s.fence = $4 and s.state = 'running'
   returning s.shard`,
);
