import type { DatabaseConnection } from '../postgres/connection.ts';
import { storable } from '../lib/text.ts';
import type { Logger } from '../log.ts';
import type { Run } from './run.ts';
import type { Outcome, Shard } from './job.ts';
import type { RunMetrics } from './metrics.ts';
import { statement } from '../postgres/statement.ts';

/** Most tries of a run, and of a shard. A shard that fails at its last try fails its run. */
export const MOST_TRIES = 3;

export type Failed = Extract<Outcome, { kind: 'failed' }>;
type Claimed = Pick<Run, 'runId' | 'attempt' | 'model'>;
type Reason = Pick<Failed, 'code' | 'message' | 'remedy'>;

/**
 * Records what becomes of work that failed. Every statement checks the fence of the work: nothing changes if the work
 * was committed after all, or belongs to another service. So each statement can be repeated.
 */
export class RunFailures {
  readonly #connection: DatabaseConnection;
  readonly #metrics: RunMetrics;
  readonly #log: Logger;

  constructor(connection: DatabaseConnection, metrics: RunMetrics, log: Logger) {
    this.#connection = connection;
    this.#metrics = metrics;
    this.#log = log;
  }

  /** Fails a run; resolves with whether it was still running. */
  async fail({ runId, attempt, model }: Claimed, reason: Reason, rowsDone = 0, rowsFailed = 0): Promise<boolean> {
    const failed = await this.#connection.insist((client) =>
      failRun(client, runId, attempt, reason.code, storable(reason.message), reason.remedy, rowsDone, rowsFailed),
    );
    if (failed.length === 0) return false;
    this.#metrics.ended(model, 'failed');
    // The reason may quote a row, which is the requester's to read.
    this.#log.warn({ run: runId, code: reason.code }, 'run failed; pgscore.runs says why');
    return true;
  }

  /** Puts a run back into the queue, or fails it after too many tries; resolves with whether it was still running. */
  async requeue(run: Run, { code, message, remedy }: Reason): Promise<boolean> {
    const [given] = await this.#connection.insist((client) =>
      requeueRun(
        client,
        run.runId,
        run.attempt,
        MOST_TRIES,
        code,
        storable(message),
        remedy,
        waitAfter(code, run.attempt),
      ),
    );
    if (given === undefined) return false;
    if (given.state !== 'queued') this.#metrics.ended(run.model, given.state);
    this.#log.warn({ run: run.runId, attempt: run.attempt, code }, `run ${given.state}: ${message}`);
    return true;
  }

  /** Opens a shard again. */
  async reopen({ runId, attempt }: Run, { shard, fence }: Shard, { code, message }: Reason): Promise<void> {
    const [now] = await this.#connection.insist((client) =>
      releaseShard(client, runId, attempt, shard, fence, storable(message), waitAfter(code, fence)),
    );
    if (now?.state === 'queued') this.#log.warn({ run: runId, shard, code }, `shard opened again: ${message}`);
  }

  /** Returns all work that a service holds to the queue, without counting a try. */
  async handBack(serviceId: string): Promise<void> {
    await this.#connection.insist((client) => handBackRuns(client, serviceId));
    await this.#connection.insist((client) => handBackShards(client, serviceId));
    await this.#connection.insist((client) => handBackVersions(client, serviceId));
  }
}

/**
 * How long work waits after a failure that counts as no try: a server was full or away, or another run was published
 * first.
 */
const WAITS_MS: Readonly<Record<string, number>> = {
  database_unreachable: 2000,
  source_unreachable: 2000,
  target_changed: 100,
};

/** A target may be held for hours, and each try takes the time of a scorer. So waits double, up to this. */
const LONGEST_WAIT_MS = 60_000;

function waitAfter(code: string, claims: number): number | null {
  if (code === 'target_locked') return Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (claims - 1));
  return WAITS_MS[code] ?? null;
}

/** The state of a run `r` that is given back: queued if the condition holds, unless it was cancelled. */
export function nextState(mayTryAgain: string): string {
  return `case when exists (select from pgscore_data.cancellation c where c.run_id = r.run_id) then 'cancelled'
                 when ${mayTryAgain} then 'queued' else 'failed' end`;
}

/** Discards what the runs of a step of a statement were loading. */
export function discardLoadedOf(step: string): string {
  return `update pgscore_data.generation g set state = 'discarded' from ${step} x where g.run_id = x.run_id and g.state = 'loading'`;
}

/**
 * Fails an attempt of a run with its reason, if it is still running. Its generation is discarded, and its plan is not
 * used again.
 */
export const failRun = statement<
  [
    runId: string,
    attempt: number,
    code: string,
    error: string,
    remedy: string | null,
    rowsDone: number,
    rowsFailed: number,
  ],
  { run_id: string }
>(
  'fail_run',
  `with failed as (
     update pgscore_data.run
        set state = 'failed', phase = null, finished_at = clock_timestamp(), lease_until = null, error_code = $3, error = $4, remedy = $5,
            rows_done = greatest($6, shards.rows_done), rows_failed = greatest($7, shards.rows_failed)
       from (select coalesce(sum(s.rows_done), 0) as rows_done, coalesce(sum(s.rows_failed), 0) as rows_failed
               from pgscore_data.shard s where s.run_id = $1 and s.attempt = $2) shards
      where run_id = $1 and attempt = $2 and state = 'running'
     returning run_id, plan_id
   ), forgotten as (
     update pgscore_data.known_plan k set plan_digest = null from failed where k.plan_id = failed.plan_id
   ), discarded as (${discardLoadedOf('failed')})
   select run_id from failed`,
);

/**
 * Returns a run to the queue after a failure that may pass, unless it was cancelled, or tried `most` times. If `waitMs`
 * is given, the run is not claimed before that time, and the try does not count. What the attempt loaded is discarded.
 * Returns no row if the run had ended or changed hands.
 */
export const requeueRun = statement<
  [
    runId: string,
    attempt: number,
    most: number,
    code: string,
    error: string,
    remedy: string | null,
    waitMs: number | null,
  ],
  { state: 'queued' | 'cancelled' | 'failed' }
>(
  'requeue_run',
  `with ending as materialized (
     select r.run_id, r.attempt - r.handed_back as tries,
            ${nextState('r.attempt - r.handed_back < $3 or $7::float8 is not null')} as state
       from pgscore_data.run r where r.run_id = $1 and r.attempt = $2 and r.state = 'running'
        for no key update
   ), given as (
     update pgscore_data.run r
        set state = ending.state, phase = null, claimed_by = null,
            lease_until = clock_timestamp() + $7 * interval '1 millisecond', handed_back = r.handed_back + ($7::float8 is not null)::int,
            finished_at = case when ending.state = 'queued' then null else clock_timestamp() end,
            arm_error = case when ending.state = 'queued' and $7::float8 is null and r.arms ? 'arms' then $5 else r.arm_error end,
            error_code = $4, error = case when ending.state = 'failed' then format('%s (tried %s times)', $5::text, tries) else $5 end, remedy = $6
       from ending where r.run_id = ending.run_id
     returning r.run_id, r.state, r.plan_id
   ), forgotten as (
     update pgscore_data.known_plan k set plan_digest = null from given where k.plan_id = given.plan_id and given.state = 'failed'
   ), discarded as (${discardLoadedOf('given')})
   select state from given`,
);

/**
 * Reopens a shard after a failure that may pass. If `waitMs` is given, the shard is not claimed before that time, and
 * the try does not count. Returns the state of the shard: `done` if its commit had gone through after all.
 */
export const releaseShard = statement<
  [runId: string, attempt: number, shard: number, fence: number, error: string, waitMs: number | null],
  { state: string; fence: number }
>(
  'release_shard',
  `with released as (
     update pgscore_data.shard s set state = 'queued', claimed_by = null, error = $5,
            lease_until = clock_timestamp() + $6 * interval '1 millisecond', handed_back = s.handed_back + ($6::float8 is not null)::int
      where s.run_id = $1 and s.attempt = $2 and s.shard = $3 and s.fence = $4 and s.state = 'running'
     returning s.state, s.fence
   )
   select state, fence from released
   union all
   select s.state, s.fence from pgscore_data.shard s
    where s.run_id = $1 and s.attempt = $2 and s.shard = $3 and not exists (select from released)`,
);

/**
 * Returns the runs of a stopping service to the queue. Keeps the attempt, which is the fence, and counts no try. Skips
 * locked rows: their leases run out.
 */
export const handBackRuns = statement<[serviceId: string], { run_id: string }>(
  'hand_back_runs',
  `with held as materialized (
     select r.run_id, exists (select from pgscore_data.cancellation c where c.run_id = r.run_id) as cancelled
       from pgscore_data.run r where r.claimed_by = $1 and r.state = 'running' order by r.run_id for no key update skip locked
   ), given as (
     update pgscore_data.run r
        set state = case when held.cancelled then 'cancelled' else 'queued' end,
            finished_at = case when held.cancelled then clock_timestamp() end,
            phase = null, claimed_by = null, lease_until = null, handed_back = r.handed_back + 1
       from held where r.run_id = held.run_id
     returning r.run_id
   ), discarded as (${discardLoadedOf('given')})
   select run_id from given`,
);

/** Returns the shards of a stopping service to the queue, also those of runs that another service sharded. */
export const handBackShards = statement<[serviceId: string], { run_id: string; shard: number }>(
  'hand_back_shards',
  `with held as materialized (
     select run_id, attempt, shard from pgscore_data.shard where claimed_by = $1 and state = 'running' order by run_id, attempt, shard for update skip locked
   )
   update pgscore_data.shard s set state = 'queued', claimed_by = null, lease_until = null, handed_back = s.handed_back + 1
     from held where (s.run_id, s.attempt, s.shard) = (held.run_id, held.attempt, held.shard)
   returning s.run_id, s.shard`,
);

/** Returns the versions whose check a stopping service has in hand. */
const handBackVersions = statement<[serviceId: string]>(
  'hand_back_versions',
  `update pgscore_data.version set claimed_by = null, lease_until = null where claimed_by = $1 and state = 'checking'`,
);
