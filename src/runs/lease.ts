import type { DatabaseConnection } from '../postgres/connection.ts';
import type { Run } from './run.ts';
import type { RunWorker } from './worker.ts';
import type { RunMetrics } from './metrics.ts';
import { statement } from '../postgres/statement.ts';
import type { Logger } from '../log.ts';
import { discardLoadedOf, MOST_TRIES, nextState } from './record-failures.ts';

type Beating = {
  readonly serviceId: string;
  readonly leaseMs: number;
  readonly connection: DatabaseConnection;
  readonly runWorker: RunWorker;
  readonly metrics: RunMetrics;
};

/**
 * Renews the leases of all work that a service has in hand, stores its progress, and drops work that was cancelled or
 * taken over.
 */
export async function beat(beating: Beating): Promise<void> {
  const { runWorker, connection, metrics, serviceId } = beating;
  const cancelled = await connection.insist((client) => cancelRuns(client, serviceId));
  for (const { run_id: runId, model } of cancelled) {
    metrics.ended(model, 'cancelled');
    runWorker.drop(runId);
  }
  await renewHeldRuns(beating, runWorker.runs);
  await renewHeldShards(beating);
}

async function renewHeldRuns({ serviceId, leaseMs, connection, runWorker }: Beating, runs: Run[]): Promise<void> {
  if (runs.length === 0) return;
  const whole = new Map(
    runWorker.progress.flatMap((p) => (p.job.shard === null ? [[p.job.run.runId, p] as const] : [])),
  );
  const ids = runs.map(({ runId }) => runId);
  const done = ids.map((id) => whole.get(id)?.rowsDone ?? 0);
  const failed = ids.map((id) => whole.get(id)?.rowsFailed ?? 0);
  const held = await connection.insist((client) => renewRuns(client, serviceId, leaseMs, ids, done, failed));
  const mine = new Set(held.map((row) => row.run_id));
  const stillHeld = new Set(runWorker.runs.map(({ runId }) => runId));
  for (const id of ids) if (!mine.has(id) && stillHeld.has(id)) runWorker.drop(id);
}

async function renewHeldShards({ serviceId, leaseMs, connection, runWorker }: Beating): Promise<void> {
  const held = runWorker.progress.flatMap(({ job: { id, run, shard }, rowsDone, rowsFailed }) =>
    shard === null ? [] : [{ jobId: id, runId: run.runId, attempt: run.attempt, ...shard, rowsDone, rowsFailed }],
  );
  if (held.length === 0) return;
  const renewed = await connection.insist((client) =>
    renewShards(
      client,
      serviceId,
      leaseMs,
      held.map((s) => s.runId),
      held.map((s) => s.attempt),
      held.map((s) => s.shard),
      held.map((s) => s.fence),
      held.map((s) => s.rowsDone),
      held.map((s) => s.rowsFailed),
    ),
  );
  const mine = new Set(renewed.map((row) => `${row.run_id}/${row.attempt}/${row.shard}`));
  const lost = held.filter(({ runId, attempt, shard }) => !mine.has(`${runId}/${attempt}/${shard}`));
  runWorker.abort(lost.map(({ jobId }) => jobId));
}

/**
 * Renews the leases of the runs of a service and stores their progress. Returns the runs that are still its own. A row
 * that another session has locked is skipped: to wait for it could let all other leases run out.
 */
export const renewRuns = statement<
  [serviceId: string, leaseMs: number, runIds: string[], rowsDone: number[], rowsFailed: number[]],
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
            rows_done = greatest(r.rows_done, p.rows_done), rows_failed = greatest(r.rows_failed, p.rows_failed),
            phase = case when r.phase = 'reading' and p.rows_done > 0 then 'scoring' else r.phase end
       from held join unnest($3::bigint[], $4::bigint[], $5::bigint[]) as p (run_id, rows_done, rows_failed) using (run_id)
      where r.run_id = held.run_id
   )
   select r.run_id from pgscore_data.run r where r.run_id = any($3::bigint[]) and r.claimed_by = $1 and r.state = 'running'`,
);

/** Renews the leases of shards likewise. A shard of a run that has ended, or was begun anew, is not returned. */
const renewShards = statement<
  [
    serviceId: string,
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

/**
 * Cancels the runs of a service and of the queue whose cancellation was asked for; their generations are discarded. A
 * locked run is left to the next call.
 */
export const cancelRuns = statement<[serviceId: string], { run_id: string; model: string }>(
  'cancel_runs',
  `with asked as materialized (
     select r.run_id from pgscore_data.run r
      where (r.state = 'running' and r.claimed_by = $1 or r.state = 'queued')
        and exists (select from pgscore_data.cancellation c where c.run_id = r.run_id)
      order by r.run_id for no key update skip locked
   ), cancelled as (
     update pgscore_data.run r
        set state = 'cancelled', phase = null, finished_at = clock_timestamp(), lease_until = null
       from asked where r.run_id = asked.run_id
     returning r.run_id, r.version_id
   ), discarded as (${discardLoadedOf('cancelled')})
   select c.run_id, m.name as model from cancelled c join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)`,
);

/**
 * Takes over the runs and shards of silent services; resolves with their number. Work that this service has in hand is
 * left: if its lease ran out, this process was paused, and the heartbeat is about to renew it.
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
 * Ends sessions whose open transaction locks a run with a lease that ran out. A service that was stopped in
 * mid-transaction would lock the run and its target for ever: its host still answers, and COPY FROM STDIN heeds no
 * timeout. Only sessions that wait for their client are ended: one that waits for a lock may belong to a live service.
 * Runs that the caller holds under their present attempt are left.
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
 * Takes over runs whose lease ran out: queues them again, or fails those that were tried `most` times. Runs that the
 * caller holds under their present attempt are left.
 */
export const recoverRuns = statement<
  [heldRuns: string[], heldAttempts: number[], most: number],
  { run_id: string; state: string; attempt: number }
>(
  'recover_runs',
  `with lost as materialized (
     select r.run_id, r.attempt - r.handed_back as tries,
            ${nextState('r.attempt - r.handed_back < $3')} as state
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
   ), discarded as (${discardLoadedOf('given')})
   select run_id, state, attempt from given`,
);

/**
 * Reopens shards whose lease ran out, while their run goes on. Shards that the caller holds under their present fence
 * are left.
 */
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
   update pgscore_data.shard s set state = 'queued', claimed_by = null, lease_until = null, error = 'its service was lost'
     from lost where (s.run_id, s.attempt, s.shard) = (lost.run_id, lost.attempt, lost.shard)
   returning s.run_id, s.shard`,
);
