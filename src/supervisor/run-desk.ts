import type { Link } from '../db/link.ts';
import type { Logger } from '../log.ts';
import { failRun } from '../runs/fail-run.ts';
import { handBackRun } from '../runs/hand-back-run.ts';
import { releaseShard } from '../runs/release-shard.ts';
import { requeueRun } from '../runs/requeue-run.ts';
import type { Run } from '../runs/run.ts';
import { failureOf } from '../scorer/failure.ts';
import type { Job, Outcome, Shard } from '../scorer/job.ts';
import { ConductedRun, MOST_ATTEMPTS, RunEnded, type Conducting } from './conduct-run.ts';
import { publishRun } from './publish-run.ts';
import type { RunMetrics } from './run-metrics.ts';
import type { ScorerPool } from './scorer-pool.ts';

type Failed = Extract<Outcome, { kind: 'failed' }>;
type Claimed = Pick<Run, 'runId' | 'attempt' | 'model'>;
type Reason = { readonly code: string; readonly message: string; readonly remedy: string | null };

/** Keeps the runs of a service from their claim to their end: gives jobs to scorers and settles what becomes of them. */
export class RunDesk {
  readonly #link: Link;
  readonly #scorers: ScorerPool;
  readonly #conducting: Conducting;
  readonly #metrics: RunMetrics;
  readonly #log: Logger;
  readonly #conducted = new Map<string, ConductedRun>();
  readonly #open = new Set<Promise<void>>();
  readonly #onFree: () => void;

  constructor(
    link: Link,
    scorers: ScorerPool,
    conducting: Conducting,
    metrics: RunMetrics,
    onFree: () => void,
    log: Logger,
  ) {
    this.#link = link;
    this.#scorers = scorers;
    this.#conducting = conducting;
    this.#metrics = metrics;
    this.#onFree = onFree;
    this.#log = log;
  }

  get conducted(): number {
    return this.#conducted.size;
  }

  /** The runs in hand: in one piece with a scorer, or conducted. */
  get runs(): Run[] {
    const whole = this.#scorers.progress.flatMap(({ job }) => (job.shard === null ? [job.run] : []));
    return [...whole, ...[...this.#conducted.values()].map(({ run }) => run)];
  }

  score(job: Job): void {
    if (job.shard === null) this.#metrics.claimed(job.run);
    this.#track(this.#scorers.score(job).then((outcome) => this.#settle(job, outcome)));
  }

  conduct(run: Run): void {
    this.#metrics.claimed(run);
    const conducted = new ConductedRun(run, this.#conducting);
    this.#conducted.set(run.runId, conducted);
    this.#track(this.#conduct(conducted));
  }

  /** A run was cancelled, or turned out to be another service's. */
  drop(runId: string): void {
    this.#conducted.get(runId)?.end();
    this.#scorers.abort(runId);
  }

  async fail({ runId, attempt, model }: Claimed, reason: Reason, rowsDone = 0, rowsFailed = 0): Promise<void> {
    const failed = await this.#link.use((client) =>
      failRun(client, runId, attempt, reason.code, reason.message, reason.remedy, rowsDone, rowsFailed),
    );
    if (failed.length === 0) return;
    this.#metrics.ended(model, 'failed');
    this.#log.warn({ run: runId, code: reason.code }, `run failed: ${reason.message}`);
    this.drop(runId);
  }

  /** Resolves when nothing is in hand any more. */
  async drained(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** Gives what is still in hand back to the queue, without costing it an attempt. */
  async handBack(): Promise<void> {
    for (const run of this.runs) {
      await this.#link.use((client) => handBackRun(client, run.runId, run.attempt, this.#conducting.worker));
      this.drop(run.runId);
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#log.error({ err: error }, 'settling a run failed; its lease will run out'))
      .finally(() => {
        this.#open.delete(tracked);
        this.#onFree();
      });
    this.#open.add(tracked);
  }

  async #settle(job: Job, outcome: Outcome): Promise<void> {
    const { run, shard } = job;
    this.#metrics.jobEnded(run, outcome);
    if (outcome.kind === 'failed')
      await (shard === null ? this.#failWhole(run, outcome) : this.#failShard(run, shard, outcome));
    if (outcome.kind === 'lost')
      this.#log.warn({ run: run.runId, attempt: run.attempt }, 'lease lost: another service has the run');
    if (outcome.kind === 'published') this.#metrics.ended(run.model, 'done');
    if (shard !== null) this.#conducted.get(run.runId)?.shardEnded();
    else if (outcome.kind === 'loaded' && outcome.snapshotAt !== null)
      await this.#publish(run, { ...outcome, snapshotAt: outcome.snapshotAt });
  }

  async #publish(run: Run, loaded: Parameters<typeof publishRun>[3]): Promise<void> {
    try {
      const mine = await this.#link.use((client) => publishRun(client, this.#conducting.worker, run, loaded));
      if (mine) this.#metrics.ended(run.model, 'done');
    } catch (error) {
      await this.#failWhole(run, {
        kind: 'failed',
        ...failureOf(error, run),
        rowsDone: loaded.rowsDone,
        rowsFailed: loaded.rowsFailed,
      });
    }
  }

  async #conduct(conducted: ConductedRun): Promise<void> {
    const { run } = conducted;
    try {
      await conducted.conduct();
      this.#metrics.ended(run.model, 'done');
    } catch (error) {
      if (!(error instanceof RunEnded))
        await this.#failWhole(run, { kind: 'failed', ...failureOf(error, run), rowsDone: 0, rowsFailed: 0 });
    } finally {
      this.#conducted.delete(run.runId);
      this.#scorers.release(run.runId);
    }
  }

  /** A failure that may pass puts the run back into the queue; any other ends it. */
  async #failWhole(run: Run, failed: Failed): Promise<void> {
    if (!failed.retry) return this.fail(run, failed, failed.rowsDone, failed.rowsFailed);
    const [given] = await this.#link.use((client) =>
      requeueRun(client, run.runId, run.attempt, MOST_ATTEMPTS, failed.code, failed.message),
    );
    if (given === undefined) return;
    this.#log.warn(
      { run: run.runId, attempt: run.attempt, code: failed.code },
      `run ${given.state}: ${failed.message}`,
    );
    if (given.state === 'failed') this.#metrics.ended(run.model, 'failed');
    this.drop(run.runId);
  }

  /** A shard that may succeed is opened again; one that cannot, or failed too often, takes the run with it. */
  async #failShard(run: Run, shard: Shard, failed: Failed): Promise<void> {
    if (!failed.retry || shard.fence >= MOST_ATTEMPTS) {
      const message = failed.retry ? `${failed.message} (tried ${shard.fence} times)` : failed.message;
      return this.fail(run, { ...failed, message }, failed.rowsDone, failed.rowsFailed);
    }
    await this.#link.use((client) =>
      releaseShard(client, run.runId, run.attempt, shard.shard, shard.fence, failed.message),
    );
    this.#log.warn({ run: run.runId, shard: shard.shard, code: failed.code }, `shard opened again: ${failed.message}`);
  }
}
