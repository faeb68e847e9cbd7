import type { DatabaseConnection } from '../postgres/connection.ts';
import { storable } from '../lib/text.ts';
import type { Logger } from '../log.ts';
import type { Run } from './run.ts';
import type { Outcome, Shard } from './job.ts';
import type { RunMetrics } from './metrics.ts';
import { statement } from '../postgres/statement.ts';

/** A run that was tried so often is not tried again; a shard that was takes its run with it. */
export const MOST_TRIES = 3;

export type Failed = Extract<Outcome, { kind: 'failed' }>;
type Claimed = Pick<Run, 'runId' | 'attempt' | 'model'>;
type Reason = Pick<Failed, 'code' | 'message' | 'remedy'>;

/**
 * Writes down what becomes of work that did not succeed. Every statement is under the fence of that work: where it went
 * through after all, or belongs to another by now, nothing changes. That is why each can be tried again.
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

  /** Ends a run; resolves with whether it was still going on. */
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

  /** Puts a run back into the queue, or ends it where it was tried too often; resolves with whether it was still going on. */
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

  /** Gives all that a service holds back to the queue, without costing it a try. */
  async handBack(serviceId: string): Promise<void> {
    await this.#connection.insist((client) => handBackRuns(client, serviceId));
    await this.#connection.insist((client) => handBackShards(client, serviceId));
    await this.#connection.insist((client) => handBackVersions(client, serviceId));
  }
}

/**
 * How long work waits that was not tried: no connection could be had, because the server, or one that holds the source, is
 * full or away, or another run got ahead of it.
 */
const WAITS_MS: Readonly<Record<string, number>> = {
  database_unreachable: 2000,
  source_unreachable: 2000,
  target_changed: 100,
};

/** Whoever holds a target may do so for hours: each try takes a scorer's time, so they become rare. */
const LONGEST_WAIT_MS = 60_000;

function waitAfter(code: string, claims: number): number | null {
  if (code === 'target_locked') return Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (claims - 1));
  return WAITS_MS[code] ?? null;
}

/** Ends an attempt of a run with its reason, if it still goes on; its generation is discarded, and its plan not used again. */
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
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from failed where g.run_id = failed.run_id and g.state = 'loading'
   )
   select run_id from failed`,
);

/**
 * Gives a run back after a failure that may pass: queued again, cancelled where that was asked for, or failed where it has
 * been tried `most` times. Where `waitMs` is given, it is not claimed before that time, and this was no try. What the attempt loaded is discarded; no row comes back where the run had ended or changed hands
 * meanwhile.
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
            case when exists (select from pgscore_data.cancellation c where c.run_id = r.run_id) then 'cancelled'
                 when r.attempt - r.handed_back < $3 or $7::float8 is not null then 'queued' else 'failed' end as state
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
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select state from given`,
);

/**
 * Gives a shard back after a failure that may pass: at once, or, where `waitMs` is given, after that time and as if it had
 * not been tried. `done` comes back true where its commit had gone through after all.
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

/** Gives back what a service that stops still holds. The attempt, which fences, stays; it does not count as a try. A lease that is locked runs out. */
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
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select run_id from given`,
);

/** The same for its shards of runs that another service sharded. */
export const handBackShards = statement<[serviceId: string], { run_id: string; shard: number }>(
  'hand_back_shards',
  `with held as materialized (
     select run_id, attempt, shard from pgscore_data.shard where claimed_by = $1 and state = 'running' order by run_id, attempt, shard for update skip locked
   )
   update pgscore_data.shard s set state = 'queued', claimed_by = null, lease_until = null, handed_back = s.handed_back + 1
     from held where (s.run_id, s.attempt, s.shard) = (held.run_id, held.attempt, held.shard)
   returning s.run_id, s.shard`,
);

/** The same for a version whose check is under way. */
const handBackVersions = statement<[serviceId: string]>(
  'hand_back_versions',
  `update pgscore_data.version set claimed_by = null, lease_until = null where claimed_by = $1 and state = 'checking'`,
);
