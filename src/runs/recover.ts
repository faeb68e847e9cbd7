import type { DatabaseConnection } from '../postgres/connection.ts';
import type { Logger } from '../log.ts';
import type { RunWorker } from './worker.ts';
import { MOST_TRIES } from './run-failures.ts';
import { statement } from '../postgres/statement.ts';

/**
 * Takes over what silent services held; resolves with how much. What this one has in hand is let be: where its lease ran out,
 * the service or its machine was paused, nobody took it meanwhile, and the heartbeat is about to renew it.
 */
export async function recover(
  connection: DatabaseConnection,
  { runs, shards }: RunWorker,
  log: Logger,
): Promise<number> {
  const mine = [runs.map(({ runId }) => runId), runs.map(({ attempt }) => attempt)] as const;
  return connection.use(async (client) => {
    for (const { run_id: run, pid } of await evictHolders(client, ...mine))
      log.warn({ run, backend: pid }, 'a session of a stopped service, which held a run, was ended');
    const recovered = await recoverRuns(client, ...mine, MOST_TRIES);
    for (const { run_id: run, state, attempt } of recovered)
      log.warn({ run, state, attempt }, 'a run of a lost service was taken over');
    const reopened = await recoverShards(
      client,
      shards.map(({ runId }) => runId),
      shards.map(({ attempt }) => attempt),
      shards.map(({ shard }) => shard),
      shards.map(({ fence }) => fence),
    );
    return recovered.length + reopened.length;
  });
}

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

/**
 * Takes runs from services that are silent past their lease: queued again, or failed where they were tried `most` times. Those
 * that the caller holds under their present attempt are let be.
 */
export const recoverRuns = statement<
  [heldRuns: string[], heldAttempts: number[], most: number],
  { run_id: string; state: string; attempt: number }
>(
  'recover_runs',
  `with lost as materialized (
     select r.run_id, r.attempt - r.handed_back as tries,
            case when exists (select from pgscore_data.cancellation c where c.run_id = r.run_id) then 'cancelled'
                 when r.attempt - r.handed_back < $3 then 'queued' else 'failed' end as state
       from pgscore_data.run r where r.state = 'running' and r.lease_until < clock_timestamp()
        and (r.run_id, r.attempt) not in (select * from unnest($1::bigint[], $2::int[]))
      order by r.run_id for no key update skip locked
   ), given as (
     update pgscore_data.run r
        set state = lost.state, phase = null, claimed_by = null, lease_until = null,
            finished_at = case when lost.state = 'queued' then null else clock_timestamp() end,
            arm_error = case when lost.state = 'queued' and r.arms ? 'arms' then 'the service that scored it was lost' else r.arm_error end,
            error_code = 'service_lost', error = format('the service that scored it was lost (tried %s times)', tries),
            remedy = 'Look at the log of the service; then submit the run again.'
       from lost where r.run_id = lost.run_id
     returning r.run_id, r.state, r.attempt
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select run_id, state, attempt from given`,
);

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
