import { tmpdir } from 'node:os';
import { removeModelFolders } from '../onnx/model-folder.ts';
import { ChildProgram } from '../lib/child-process.ts';
import type { ScoreAlone, Job, Outcome, FromScorer, ScorerSettings, ToScorer } from './job.ts';

/**
 * A scorer's garbage is large arrays in a heap of 11 MB, and there is one scorer for each core. Helper threads that
 * mark the heap again and again took 0.3 CPU-seconds a million rows from the scorers.
 */
const V8_FLAGS = ['--max-semi-space-size=32', '--single-threaded-gc', '--no-incremental-marking'];

/** A job, and what to call at its end. */
export type Given = { readonly job: Job; readonly ended: (outcome: Outcome | ScoreAlone) => void };

type Progress = { rowsDone: number; rowsFailed: number };
type Working = Progress & Given;

/**
 * One scorer child and the jobs that it works on: one, or several small ones. A child that makes no progress in time is
 * killed, since a native call cannot be cancelled. When a child ends, its jobs fail and may be tried again.
 */
export class ScorerProcess {
  readonly #child: ChildProgram<ToScorer, FromScorer>;
  readonly #batchTimeoutMs: number;
  readonly #watch: NodeJS.Timeout;
  /** Resolves with how the child ended, and why it was killed. */
  readonly exited: Promise<string>;
  readonly #working = new Map<number, Working>();
  #heardAt = 0;
  #killedFor: string | undefined;
  #end: string | undefined;

  constructor(settings: ScorerSettings, batchTimeoutMs: number) {
    this.#batchTimeoutMs = batchTimeoutMs;
    this.#child = new ChildProgram('scorer/main', {
      env: { ...settings.connecting, TMPDIR: tmpdir() },
      v8Flags: V8_FLAGS,
      onMessage: (message) => this.#receive(message),
    });
    this.exited = this.#child.exited.then((how) => this.#ended(how));
    this.#watch = setInterval(() => this.#checkProgress(), Math.min(1000, batchTimeoutMs / 4));
    this.#watch.unref();
    this.#child.send({ type: 'start', settings });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get idle(): boolean {
    return this.#working.size === 0 && this.#end === undefined;
  }

  get progress(): readonly (Progress & { readonly job: Job })[] {
    return [...this.#working.values()];
  }

  /** Gives jobs to the child, each with what to call at its end; the child must be idle. */
  score(given: readonly Given[]): void {
    this.#heardAt = performance.now();
    for (const { job, ended } of given) this.#working.set(job.id, { job, ended, rowsDone: 0, rowsFailed: 0 });
    this.#child.send({ type: 'score', jobs: given.map(({ job }) => job) });
  }

  /** Stops the jobs that `which` selects, after their present batch. */
  abort(which: (job: Job) => boolean): void {
    for (const { job } of this.#working.values()) if (which(job)) this.#child.send({ type: 'abort', jobId: job.id });
  }

  release(runId: string): void {
    this.#child.send({ type: 'release', runId });
  }

  kill(reason = 'the service stops'): void {
    this.#killedFor ??= reason;
    this.#child.kill();
  }

  #receive(message: FromScorer): void {
    // To load the program is progress, too: a slow host takes seconds for it.
    this.#heardAt = performance.now();
    if (message.type === 'ready') return;
    const working = this.#working.get(message.jobId);
    if (working === undefined) return;
    if (message.type === 'progress') {
      Object.assign(working, { rowsDone: message.rowsDone, rowsFailed: message.rowsFailed });
      return;
    }
    this.#working.delete(message.jobId);
    working.ended(message.outcome);
  }

  #checkProgress(): void {
    if (this.#working.size === 0 || performance.now() - this.#heardAt < this.#batchTimeoutMs) return;
    this.kill(`it made no progress for ${this.#batchTimeoutMs / 1000} s`);
  }

  #ended(how: string): string {
    clearInterval(this.#watch);
    if (this.pid !== undefined) void removeModelFolders(this.pid);
    const end = `the scorer process ended (${how})${this.#killedFor === undefined ? '' : `: ${this.#killedFor}`}`;
    this.#end = end;
    const working = [...this.#working.values()];
    this.#working.clear();
    for (const job of working) job.ended(lostScorer(end, job));
    return end;
  }
}

const REMEDY = 'If it happens again, look at the log of the service; a slow model may need a longer --batch-timeout.';

/** The outcome of a job whose scorer is gone. */
export function lostScorer(
  message: string,
  { rowsDone, rowsFailed }: Progress = { rowsDone: 0, rowsFailed: 0 },
): Outcome {
  return { kind: 'failed', code: 'scorer_lost', message, remedy: REMEDY, retry: true, rowsDone, rowsFailed };
}
