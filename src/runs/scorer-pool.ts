import type { ServiceConfig } from '../config.ts';
import type { Logger } from '../log.ts';
import { RestartDelay } from '../lib/child-process.ts';
import { pause } from '../lib/retry.ts';
import type { ScoreAlone, Job, Outcome, ScorerSettings } from './job.ts';
import { isOfWatch } from './run.ts';
import { lostScorer, ScorerProcess } from './scorer-process.ts';

/** `alone`: scoring it together with others did not work. */
type Waiting = { readonly job: Job; readonly ended: (outcome: Outcome) => void; readonly alone: boolean };

/** Most pages of a source that is scored together with others, and most jobs that are scored together. */
const MOST_PAGES_TOGETHER = 16;
const MOST_TOGETHER = 8;

/**
 * The scorer children of a service: their number is kept, and one that dies is replaced. Each works on one job, or on
 * several small ones. Waiting jobs go to the first idle scorer, so that none waits behind a long job while another
 * scorer is idle.
 */
export class ScorerPool {
  readonly size: number;
  readonly #settings: ScorerSettings;
  readonly #batchTimeoutMs: number;
  readonly #log: Logger;
  readonly #scorers = new Set<ScorerProcess>();
  readonly #waiting: Waiting[] = [];
  #stopped = false;

  constructor(config: ServiceConfig, readerUrl: string | undefined, log: Logger) {
    const { connecting, databaseUrl, batchRows, modelMemoryBytes } = config;
    this.size = config.scorers;
    this.#settings = { connecting, databaseUrl, readerUrl, batchRows, modelMemoryBytes };
    this.#batchTimeoutMs = config.batchTimeoutMs;
    this.#log = log;
  }

  start(): void {
    for (let n = 0; n < this.size; n += 1) void this.#keepOne();
  }

  /** Jobs that are worked on or wait. */
  get inHand(): number {
    return this.progress.length;
  }

  /** How many more jobs can be taken if each living scorer is to have at most `each`. */
  roomFor(each: number): number {
    return this.#scorers.size * each - this.inHand;
  }

  get pids(): number[] {
    return [...this.#scorers].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  get progress(): ScorerProcess['progress'][number][] {
    const working = [...this.#scorers].flatMap(({ progress }) => progress);
    return [...working, ...this.#waiting.map(({ job }) => ({ job, rowsDone: 0, rowsFailed: 0 }))];
  }

  score(job: Job): Promise<Outcome> {
    if (this.#stopped) return Promise.resolve(lostScorer('the service stops'));
    return new Promise((ended) => {
      const waiting = { job, ended, alone: false };
      // Changed rows of watches go before shards of large tables, in their order.
      const others = isOfWatch(job.run) ? this.#waiting.findIndex(({ job: { run } }) => !isOfWatch(run)) : -1;
      this.#waiting.splice(others < 0 ? this.#waiting.length : others, 0, waiting);
      this.#assign();
    });
  }

  abort(which: (job: Job) => boolean): void {
    for (const waiting of this.#waiting.filter(({ job }) => which(job))) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.ended({ kind: 'aborted' });
    }
    for (const scorer of this.#scorers) scorer.abort(which);
  }

  /** Tells every scorer that no shard of a run is left. */
  release(runId: string): void {
    for (const scorer of this.#scorers) scorer.release(runId);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#loseWaiting('the service stops');
    const scorers = [...this.#scorers];
    for (const scorer of scorers) scorer.kill();
    await Promise.all(scorers.map((scorer) => scorer.exited));
  }

  async #keepOne(): Promise<void> {
    const delay = new RestartDelay();
    while (!this.#stopped) {
      delay.started();
      await this.#oneLife().catch((error: unknown) => this.#log.error({ err: error }, 'a scorer could not be started'));
      const delayMs = delay.ended();
      if (delayMs === 0) continue;
      if (this.#scorers.size === 0) this.#loseWaiting('scorer processes end as soon as they are started');
      if (!this.#stopped) await pause(delayMs);
    }
  }

  async #oneLife(): Promise<void> {
    const scorer = new ScorerProcess(this.#settings, this.#batchTimeoutMs);
    this.#scorers.add(scorer);
    this.#assign();
    const end = await scorer.exited;
    this.#scorers.delete(scorer);
    if (!this.#stopped) this.#log.warn({ pid: scorer.pid }, `a scorer is replaced: ${end}`);
  }

  /** Gives the jobs that wait longest to idle scorers, each its share. */
  #assign(): void {
    const idle = [...this.#scorers].filter((scorer) => scorer.idle);
    for (const [index, scorer] of idle.entries()) {
      const share = Math.ceil(this.#waiting.length / (idle.length - index));
      const given = this.#takeTogether(Math.min(share, MOST_TOGETHER));
      if (given.length === 0) return;
      scorer.score(given.map((one) => ({ job: one.job, ended: (outcome) => this.#ended(one, outcome) })));
    }
  }

  #ended(given: Waiting, outcome: Outcome | ScoreAlone): void {
    if (outcome.kind !== 'score_alone') given.ended(outcome);
    else if (this.#stopped) given.ended(lostScorer('the service stops'));
    else this.#waiting.unshift({ ...given, alone: true });
    this.#assign();
  }

  /**
   * The job that waits longest and, if it is small, others that can be scored together with it. A small run into a
   * target that another scorer is writing comes last: it would wait to publish, and might be too late to be the latest.
   */
  #takeTogether(most: number): Waiting[] {
    const working = [...this.#scorers].flatMap(({ progress }) => progress.map(({ job }) => job));
    const busy = new Set(working.filter(isScoredWithOthers).map(({ run }) => run.target.targetId));
    const free = this.#waiting.filter(({ job }) => !isScoredWithOthers(job) || !busy.has(job.run.target.targetId));
    const [first] = free.length > 0 ? free : this.#waiting;
    if (first === undefined) return [];
    const others = free.filter((waiting) => goTogether(waiting, first));
    const taken = others.includes(first) ? others.slice(0, most) : [first];
    for (const given of taken) this.#waiting.splice(this.#waiting.indexOf(given), 1);
    return taken;
  }

  #loseWaiting(why: string): void {
    for (const { ended } of this.#waiting.splice(0)) ended(lostScorer(why));
  }
}

/** Whether two jobs can be scored together; for the same job twice, whether it can be scored with any other. */
function goTogether(one: Waiting, other: Waiting): boolean {
  const canShareScorer = ({ job, alone }: Waiting): boolean => !alone && isScoredWithOthers(job);
  return canShareScorer(one) && canShareScorer(other) && one.job.run.requestedBy === other.job.run.requestedBy;
}

/** A run over a small table, at its first attempt: a run that kills its scorer takes others along only once. */
function isScoredWithOthers({ shard, run }: Job): boolean {
  return (
    shard === null &&
    !isOfWatch(run) &&
    !run.comparesRows &&
    run.attempt === 1 &&
    run.handle.kind === 'function' &&
    run.sourceKind === 'ctid' &&
    run.pages <= MOST_PAGES_TOGETHER
  );
}
