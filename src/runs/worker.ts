import type { ServiceConfig } from '../config.ts';
import { Wakeable } from '../lib/wakeable.ts';
import type { Logger } from '../log.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { Dispatcher, type Expected } from './claim.ts';
import { failureOf } from './describe-failure.ts';
import type { Job, Outcome, Shard } from './job.ts';
import type { RunMetrics } from './metrics.ts';
import { publicationConnection, publishRun, type Loaded } from './publish.ts';
import { hasArms, isOfWatch, type Run } from './run.ts';
import { MOST_TRIES, RunFailures, type Failed } from './record-failures.ts';
import { ScorerPool } from './scorer-pool.ts';
import { RunEnded, ShardedRun } from './sharded-run.ts';

type RunWorkerOptions = {
  readonly serviceId: string;
  readonly readerUrl: string | undefined;
  /** `work` claims; `failures` records what becomes of work that failed. */
  readonly connections: { readonly work: DatabaseConnection; readonly failures: DatabaseConnection };
  /** False while the service waits for its database. A draining service still claims the shards of its runs. */
  readonly mayClaim: () => boolean;
  /** Whether there may be changed rows of watches. */
  readonly mayFollow: () => boolean;
  readonly metrics: RunMetrics;
};

/** The pause between two claims of changed rows: while they come, and when none has come for some seconds. */
const LEAST_REST_MS = 20;
const MOST_REST_MS = 1000;

/** How long to rest after a look for changed rows that claimed so many. */
export function restAfter(claimed: number, restMs: number): number {
  return claimed > 0 ? LEAST_REST_MS : Math.min(MOST_REST_MS, 1.25 * restMs);
}

/**
 * After these failures nobody can read a shard of the attempt any more: its snapshot is gone, or a node is away or
 * lacks the handle.
 */
const ENDING_THE_ATTEMPT = ['snapshot_lost', 'source_unreachable', 'shards_unreadable'];

/** Takes runs from their claim to their end: claims them, gives jobs to scorers, publishes, and deals with what fails. */
export class RunWorker {
  readonly #config: ServiceConfig;
  readonly #serviceId: string;
  readonly #readerUrl: string | undefined;
  readonly #metrics: RunMetrics;
  readonly #log: Logger;
  readonly #scorers: ScorerPool;
  readonly #failures: RunFailures;
  readonly #dispatcher: Dispatcher;
  readonly #claiming: Wakeable;
  readonly #following: Wakeable;
  #restMs = MOST_REST_MS;
  readonly #sharded = new Set<ShardedRun>();
  readonly #publishing = new Set<Run>();
  readonly #open = new Set<Promise<void>>();
  #handedBack = false;

  constructor(
    config: ServiceConfig,
    { serviceId, readerUrl, connections, mayClaim, mayFollow, metrics }: RunWorkerOptions,
    log: Logger,
  ) {
    this.#config = config;
    this.#serviceId = serviceId;
    this.#readerUrl = readerUrl;
    this.#metrics = metrics;
    this.#log = log;
    this.#scorers = new ScorerPool(config, readerUrl, log);
    this.#failures = new RunFailures(connections.failures, metrics, log);
    const { leaseMs, pollMs } = config;
    const claiming = { serviceId, leaseMs, pollMs, connection: connections.work };
    this.#dispatcher = new Dispatcher({ ...claiming, scorers: this.#scorers, work: this, log });
    const claim = async (): Promise<void> => {
      if (mayClaim()) await this.#dispatcher.dispatch();
    };
    this.#claiming = new Wakeable('claiming work', pollMs, claim, log);
    const follow = async (): Promise<void> => {
      const claimed = mayClaim() && mayFollow() ? await this.#dispatcher.dispatchChanges() : 0;
      this.#restMs = restAfter(claimed, this.#restMs);
    };
    this.#following = new Wakeable('claiming changed rows', () => this.#restMs, follow, log);
  }

  startScorers(): void {
    this.#scorers.start();
  }

  startClaiming(): void {
    this.#claiming.start();
    this.#following.start();
  }

  /** Claims what there may be to claim. */
  lookFor(expected: Expected): void {
    this.#dispatcher.announce(expected);
    this.#claiming.wake();
  }

  /** Looks for changed rows of watches at once, and often for a while. */
  follow(): void {
    this.#restMs = LEAST_REST_MS;
    this.#following.wake();
  }

  /** Whether more changed rows wait than the scorers have in hand. */
  get isBehind(): boolean {
    return this.#dispatcher.changesWait;
  }

  /** From now on claims only the shards of runs in hand. */
  drain(): void {
    this.#dispatcher.drain();
  }

  /** From now on claims nothing; resolves when no claim is under way. */
  async close(): Promise<void> {
    this.#dispatcher.close();
    await Promise.all([this.#claiming.stop(), this.#following.stop()]);
  }

  /** Resolves when nothing is in hand any more. */
  async drained(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** Returns all work in hand to the queue, without counting a try. Outcomes that come later are ignored. */
  async handBack(): Promise<void> {
    this.#handedBack = true;
    for (const { runId } of this.runs) this.drop(runId);
    await this.#failures
      .handBack(this.#serviceId)
      .catch((error: unknown) => this.#log.warn({ err: error }, 'giving work back failed; its lease will run out'));
  }

  stopScorers(): Promise<void> {
    return this.#scorers.stop();
  }

  get scorerPids(): readonly number[] {
    return this.#scorers.pids;
  }

  /** The jobs that are worked on or wait. */
  get progress(): ScorerPool['progress'] {
    return this.#scorers.progress;
  }

  get sharded(): number {
    return this.#sharded.size;
  }

  /** The runs in hand: in one piece with a scorer, loaded and being published, or sharded. */
  get runs(): Run[] {
    const whole = this.progress.flatMap(({ job }) => (job.shard === null ? [job.run] : []));
    return [...whole, ...this.#publishing, ...[...this.#sharded].map(({ run }) => run)];
  }

  /** The shards that scorers have or are about to get. */
  get shards(): (Shard & Pick<Run, 'runId' | 'attempt'>)[] {
    return this.progress.flatMap(({ job: { run, shard } }) =>
      shard === null ? [] : [{ ...shard, runId: run.runId, attempt: run.attempt }],
    );
  }

  score(job: Job): void {
    if (job.shard === null) this.#metrics.claimed(job.run);
    this.#track(this.#scorers.score(job).then((outcome) => this.#jobEnded(job, outcome)));
  }

  scoreSharded(run: Run): void {
    this.#metrics.claimed(run);
    const { scorers, databaseUrl } = this.#config;
    const sharded = new ShardedRun(run, {
      serviceId: this.#serviceId,
      scorers,
      databaseUrl,
      readerUrl: this.#readerUrl,
      log: this.#log,
      onOpened: () => this.lookFor('all'),
      onScored: (runId) => this.#scorers.release(runId),
    });
    this.#sharded.add(sharded);
    this.#track(this.#finishSharded(sharded));
  }

  /** A run was cancelled, or turned out to be another service's. */
  drop(runId: string): void {
    for (const sharded of this.#sharded) if (sharded.run.runId === runId) sharded.end();
    this.#scorers.abort(({ run }) => run.runId === runId);
  }

  /** Shards turned out to be another service's. */
  abort(jobIds: readonly number[]): void {
    this.#scorers.abort(({ id }) => jobIds.includes(id));
  }

  /** Ends a run that cannot go on. */
  async fail(...failure: Parameters<RunFailures['fail']>): Promise<void> {
    if (await this.#failures.fail(...failure)) this.drop(failure[0].runId);
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#log.error({ err: error }, 'ending a run failed; its lease will run out'))
      .finally(() => {
        this.#open.delete(tracked);
        this.lookFor('known');
      });
    this.#open.add(tracked);
  }

  async #jobEnded(job: Job, outcome: Outcome): Promise<void> {
    const { run, shard } = job;
    this.#metrics.jobEnded(run, outcome);
    if (isOfWatch(run) && this.#dispatcher.changesWait) this.#following.wake();
    if (outcome.kind === 'failed')
      await (shard === null ? this.#failWhole(run, outcome) : this.#failShard(run, shard, outcome));
    if (outcome.kind === 'lost')
      this.#log.warn({ run: run.runId, attempt: run.attempt }, 'run lost: another service has it');
    if (outcome.kind === 'published') this.#metrics.ended(run.model, 'done');
    if (shard !== null) this.#shardEnded(run);
    else if (outcome.kind === 'loaded' && outcome.snapshotAt !== null)
      await this.#publish(run, publicationConnection(this.#config.databaseUrl), {
        ...outcome,
        snapshotAt: outcome.snapshotAt,
      });
  }

  #shardEnded({ runId }: Run): void {
    for (const sharded of this.#sharded) if (sharded.run.runId === runId) sharded.shardEnded();
  }

  /** Publishes a run that is loaded. */
  async #publish(run: Run, connection: DatabaseConnection, loaded: Loaded): Promise<void> {
    this.#publishing.add(run);
    try {
      if (await publishRun(connection, this.#serviceId, run, loaded)) this.#metrics.ended(run.model, 'done');
    } catch (error) {
      const { rowsDone, rowsFailed } = loaded;
      await this.#failWhole(run, { kind: 'failed', ...failureOf(error, run), rowsDone, rowsFailed });
    } finally {
      this.#publishing.delete(run);
    }
  }

  /** Waits for the shards of a run, and publishes it. */
  async #finishSharded(sharded: ShardedRun): Promise<void> {
    const { run } = sharded;
    try {
      const loaded = await sharded.score();
      // No longer among the few runs that are sharded at a time: it may wait long for its target.
      this.#sharded.delete(sharded);
      await this.#publish(run, sharded.publication, loaded);
    } catch (error) {
      await sharded.publication.end();
      if (!(error instanceof RunEnded))
        await this.#failWhole(run, { kind: 'failed', ...failureOf(error, run), rowsDone: 0, rowsFailed: 0 });
    } finally {
      this.#sharded.delete(sharded);
      this.#scorers.release(run.runId);
      this.lookFor('all');
    }
  }

  /** Requeues a run if its failure may pass, or may be that of an arm; fails it otherwise. */
  async #failWhole(run: Run, failed: Failed): Promise<void> {
    if (this.#handedBack) return;
    if (!failed.retry && !hasArms(run)) return this.fail(run, failed, failed.rowsDone, failed.rowsFailed);
    if (await this.#failures.requeue(run, failed)) this.drop(run.runId);
    this.lookFor('all');
  }

  /** Reopens a shard that may still succeed; otherwise fails its run. */
  async #failShard(run: Run, shard: Shard, failed: Failed): Promise<void> {
    if (this.#handedBack) return;
    if (ENDING_THE_ATTEMPT.includes(failed.code) || (!failed.retry && hasArms(run)))
      return this.#failWhole(run, failed);
    if (failed.retry && shard.tries < MOST_TRIES) {
      await this.#failures.reopen(run, shard, failed);
      return this.lookFor('all');
    }
    const message = failed.retry ? `${failed.message} (tried ${shard.tries} times)` : failed.message;
    return this.fail(run, { ...failed, message }, failed.rowsDone, failed.rowsFailed);
  }
}
