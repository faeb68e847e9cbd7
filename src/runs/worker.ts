import type { Logger } from '../log.ts';
import type { Run } from './run.ts';
import { failureOf } from './failure.ts';
import type { Job, Outcome, Shard } from './job.ts';
import { ShardedRun, RunEnded, type ShardedRunOptions } from './sharded-run.ts';
import { publicationConnection } from './connections.ts';
import { publishRun, type Loaded } from './publish.ts';
import type { RunMetrics } from './metrics.ts';
import type { ScorerPool } from './scorer-pool.ts';
import { MOST_TRIES, type Failed, type RunFailures } from './run-failures.ts';

export type Told = {
  /** A scorer has ended a job. */
  readonly onFree: () => void;
  /** Work is in the queue again, or there is room for another large run. */
  readonly onReturned: () => void;
};

/** Keeps the runs of a service from their claim to their end: gives jobs to scorers and settles what becomes of them. */
export class RunWorker {
  readonly #failures: RunFailures;
  readonly #scorers: ScorerPool;
  readonly #options: ShardedRunOptions;
  readonly #metrics: RunMetrics;
  readonly #log: Logger;
  readonly #sharded = new Set<ShardedRun>();
  readonly #publishing = new Set<Run>();
  readonly #open = new Set<Promise<void>>();
  readonly #told: Told;
  #handedBack = false;

  constructor(
    failures: RunFailures,
    scorers: ScorerPool,
    options: ShardedRunOptions,
    metrics: RunMetrics,
    told: Told,
    log: Logger,
  ) {
    this.#failures = failures;
    this.#scorers = scorers;
    this.#options = options;
    this.#metrics = metrics;
    this.#told = told;
    this.#log = log;
  }

  get sharded(): number {
    return this.#sharded.size;
  }

  /** The runs in hand: in one piece with a scorer, loaded and being published, or sharded. */
  get runs(): Run[] {
    const whole = this.#scorers.progress.flatMap(({ job }) => (job.shard === null ? [job.run] : []));
    return [...whole, ...this.#publishing, ...[...this.#sharded].map(({ run }) => run)];
  }

  /** The shards that scorers have or are about to get. */
  get shards(): (Shard & Pick<Run, 'runId' | 'attempt'>)[] {
    return this.#scorers.progress.flatMap(({ job: { run, shard } }) =>
      shard === null ? [] : [{ ...shard, runId: run.runId, attempt: run.attempt }],
    );
  }

  score(job: Job): void {
    if (job.shard === null) this.#metrics.claimed(job.run);
    this.#track(this.#scorers.score(job).then((outcome) => this.#jobEnded(job, outcome)));
  }

  scoreSharded(run: Run): void {
    this.#metrics.claimed(run);
    const sharded = new ShardedRun(run, this.#options);
    this.#sharded.add(sharded);
    this.#track(this.#finishSharded(sharded));
  }

  /** A run was cancelled, or turned out to be another service's. */
  drop(runId: string): void {
    for (const sharded of this.#sharded) if (sharded.run.runId === runId) sharded.end();
    this.#scorers.abort(({ run }) => run.runId === runId);
  }

  /** Ends a run that cannot go on. */
  async fail(...failure: Parameters<RunFailures['fail']>): Promise<void> {
    if (await this.#failures.fail(...failure)) this.drop(failure[0].runId);
  }

  /** Resolves when nothing is in hand any more. */
  async drained(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** Gives what is still in hand back to the queue, without costing it a try; what becomes of it here counts no more. */
  async handBack(): Promise<void> {
    this.#handedBack = true;
    for (const { runId } of this.runs) this.drop(runId);
    await this.#failures.handBack(this.#options.worker);
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#log.error({ err: error }, 'ending a run failed; its lease will run out'))
      .finally(() => {
        this.#open.delete(tracked);
        this.#told.onFree();
      });
    this.#open.add(tracked);
  }

  async #jobEnded(job: Job, outcome: Outcome): Promise<void> {
    const { run, shard } = job;
    this.#metrics.jobEnded(run, outcome);
    if (outcome.kind === 'failed')
      await (shard === null ? this.#failWhole(run, outcome) : this.#failShard(run, shard, outcome));
    if (outcome.kind === 'lost')
      this.#log.warn({ run: run.runId, attempt: run.attempt }, 'lease lost: another service has the run');
    if (outcome.kind === 'published') this.#metrics.ended(run.model, 'done');
    if (shard !== null) this.#shardEnded(run);
    else if (outcome.kind === 'loaded' && outcome.snapshotAt !== null)
      await this.#publish(run, { ...outcome, snapshotAt: outcome.snapshotAt });
  }

  #shardEnded({ runId }: Run): void {
    for (const sharded of this.#sharded) if (sharded.run.runId === runId) sharded.shardEnded();
  }

  /** Publishes a run that was scored in one piece. */
  async #publish(run: Run, loaded: Loaded): Promise<void> {
    this.#publishing.add(run);
    try {
      const mine = await this.#publishByOwnConnection(run, loaded);
      if (mine) this.#metrics.ended(run.model, 'done');
    } catch (error) {
      const { rowsDone, rowsFailed } = loaded;
      await this.#failWhole(run, { kind: 'failed', ...failureOf(error, run), rowsDone, rowsFailed });
    } finally {
      this.#publishing.delete(run);
    }
  }

  async #publishByOwnConnection(run: Run, loaded: Loaded): Promise<boolean> {
    const { databaseUrl, worker } = this.#options;
    const link = publicationConnection(databaseUrl);
    try {
      return await publishRun(link, worker, run, loaded);
    } finally {
      await link.end();
    }
  }

  async #finishSharded(sharded: ShardedRun): Promise<void> {
    const { run } = sharded;
    try {
      await sharded.score();
      this.#metrics.ended(run.model, 'done');
    } catch (error) {
      if (!(error instanceof RunEnded))
        await this.#failWhole(run, { kind: 'failed', ...failureOf(error, run), rowsDone: 0, rowsFailed: 0 });
    } finally {
      this.#sharded.delete(sharded);
      this.#scorers.release(run.runId);
      this.#told.onReturned();
    }
  }

  /** A failure that may pass puts the run back into the queue; any other ends it. */
  async #failWhole(run: Run, failed: Failed): Promise<void> {
    if (this.#handedBack) return;
    if (!failed.retry) return this.fail(run, failed, failed.rowsDone, failed.rowsFailed);
    if (await this.#failures.requeue(run, failed)) this.drop(run.runId);
    this.#told.onReturned();
  }

  /** A shard that may succeed is opened again; one that cannot, or was tried too often, takes the run with it. */
  async #failShard(run: Run, shard: Shard, failed: Failed): Promise<void> {
    if (this.#handedBack) return;
    // Without its snapshot no shard of the attempt can be read any more, whoever tries.
    if (failed.code === 'snapshot_lost') return this.#failWhole(run, failed);
    if (failed.retry && shard.tries < MOST_TRIES) {
      await this.#failures.reopen(run, shard, failed);
      return this.#told.onReturned();
    }
    const message = failed.retry ? `${failed.message} (tried ${shard.tries} times)` : failed.message;
    return this.fail(run, { ...failed, message }, failed.rowsDone, failed.rowsFailed);
  }
}
