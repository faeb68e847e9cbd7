import { statement } from '../postgres/statement.ts';

/**
 * Ends sessions in whose open transaction a run is that should long have been taken over: a service that was stopped half-way
 * would keep it, and its target, for ever, since its host still answers for it and COPY FROM STDIN heeds no timeout. They wait
 * for their client; one that waits for a lock may well have a client that is alive, whose publication is held up. Those that
 * the caller holds under their present attempt are let be.
 */
export const evictHolders = statement<[heldRuns: string[], heldAttempts: number[]], { run_id: string; pid: number }>(
  'evict_holders',
  `select r.run_id, holder.pid, pg_terminate_backend(holder.pid) as ended
     from pgscore_data.run r
    cross join lateral (
      select l.pid from pg_locks l join pg_stat_activity a using (pid)
       where l.locktype = 'transactionid' and l.transactionid = r.xmax and l.granted and a.usename = current_user and a.wait_event_type = 'Client'
      offset 0
    ) holder
    where r.state = 'running' and r.lease_until < clock_timestamp() - interval '2 seconds'
      and (r.run_id, r.attempt) not in (select * from unnest($1::bigint[], $2::int[]))`,
);
