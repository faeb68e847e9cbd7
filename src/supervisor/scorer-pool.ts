import type { Logger } from '../log.ts';
import { backoff, pause } from '../lib/retrying.ts';
import type { Job, Outcome } from '../scorer/job.ts';
import type { ScorerSettings } from '../scorer/messages.ts';
import { lostScorer, ScorerProcess } from './scorer-process.ts';

/** A scorer works on one job and has the next at hand, so that it never waits for a claim. */
const JOBS_EACH = 2;
const SHORT_LIFE_MS = 5000;

/** The scorer children of a service: kept at their number, given jobs, replaced when they die. */
export class ScorerPool {
  readonly size: number;
  readonly #settings: ScorerSettings;
  readonly #batchTimeoutMs: number;
  readonly #log: Logger;
  readonly #scorers = new Set<ScorerProcess>();
  #stopped = false;

  constructor(size: number, settings: ScorerSettings, batchTimeoutMs: number, log: Logger) {
    this.size = size;
    this.#settings = settings;
    this.#batchTimeoutMs = batchTimeoutMs;
    this.#log = log;
  }

  start(): void {
    for (let n = 0; n < this.size; n += 1) void this.#keepOne();
  }

  /** How many more jobs can be taken now. */
  get free(): number {
    let free = 0;
    for (const scorer of this.#scorers) free += JOBS_EACH - scorer.assigned;
    return free;
  }

  get busy(): number {
    let busy = 0;
    for (const scorer of this.#scorers) busy += scorer.assigned;
    return busy;
  }

  get pids(): number[] {
    return [...this.#scorers].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  get progress(): ScorerProcess['progress'] {
    return [...this.#scorers].flatMap((scorer) => scorer.progress);
  }

  /** Gives a job to the scorer with the least to do. */
  score(job: Job): Promise<Outcome> {
    const [idlest] = [...this.#scorers].toSorted((a, b) => a.assigned - b.assigned);
    return idlest?.score(job) ?? Promise.resolve(lostScorer('no scorer process is running'));
  }

  abort(which: (job: Job) => boolean): void {
    for (const scorer of this.#scorers) scorer.abort(which);
  }

  /** Tells every scorer that no shard of a run is left. */
  release(runId: string): void {
    for (const scorer of this.#scorers) scorer.release(runId);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const scorers = [...this.#scorers];
    for (const scorer of scorers) scorer.kill();
    await Promise.all(scorers.map((scorer) => scorer.exited));
  }

  async #keepOne(): Promise<void> {
    for (let quick = 0; !this.#stopped;) {
      const born = performance.now();
      await this.#oneLife().catch((error: unknown) => this.#log.error({ err: error }, 'a scorer could not be started'));
      quick = performance.now() - born < SHORT_LIFE_MS ? quick + 1 : 0;
      if (quick > 1 && !this.#stopped) await pause(backoff(quick, 200, 10_000));
    }
  }

  async #oneLife(): Promise<void> {
    const scorer = new ScorerProcess(this.#settings, this.#batchTimeoutMs);
    this.#scorers.add(scorer);
    await scorer.exited;
    this.#scorers.delete(scorer);
    if (!this.#stopped) this.#log.warn({ pid: scorer.pid }, 'a scorer process ended and is replaced');
  }
}
