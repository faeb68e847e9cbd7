import { fork, type ChildProcess } from 'node:child_process';
import { programFile } from '../lib/package-file.ts';
import type { Apart, Job, Outcome, FromScorer, ScorerSettings, ToScorer } from './job.ts';

const MAIN = programFile('scorer/main');

/**
 * A scorer's garbage is large arrays in a heap of 11 MB, and there is one scorer a core: helper threads that mark that
 * heap again and again as the arrays come and go took 0.3 CPU-seconds a million rows from the scorers.
 */
const V8_FLAGS = ['--max-semi-space-size=32', '--single-threaded-gc', '--no-incremental-marking'];

/** A job, and whom to tell of its end. */
export type Given = { readonly job: Job; readonly ended: (outcome: Outcome | Apart) => void };

type Progress = { rowsDone: number; rowsFailed: number };
type Working = Progress & Given;

/**
 * One scorer child and the jobs that it works on: one, or several small ones. A child that makes no progress in time is
 * killed, since a native call cannot be cancelled; then, and when it dies of itself, its jobs fail and may be tried again.
 */
export class ScorerProcess {
  readonly #child: ChildProcess;
  readonly #batchTimeoutMs: number;
  readonly #watch: NodeJS.Timeout;
  /** Resolves with how it ended, and for what it was killed. */
  readonly exited: Promise<string>;
  readonly #working = new Map<number, Working>();
  #heardAt = 0;
  #killedFor: string | undefined;
  #end: string | undefined;

  constructor(settings: ScorerSettings, batchTimeoutMs: number) {
    this.#batchTimeoutMs = batchTimeoutMs;
    this.#child = fork(MAIN, {
      env: settings.connecting,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: V8_FLAGS,
    });
    this.#child.on('message', (message: FromScorer) => this.#receive(message));
    this.exited = new Promise((resolve) => {
      const ended = (how: string): void => {
        resolve(this.#ended(how));
      };
      this.#child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`));
      this.#child.on('error', (error) => {
        if (this.#child.pid === undefined) ended(error.message);
      });
    });
    this.#watch = setInterval(() => this.#checkProgress(), Math.min(1000, batchTimeoutMs / 4));
    this.#watch.unref();
    this.#send({ type: 'start', settings });
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

  /** Gives it jobs, each with whom to tell of its end; it must be idle. */
  score(given: readonly Given[]): void {
    this.#heardAt = performance.now();
    for (const { job, ended } of given) this.#working.set(job.id, { job, ended, rowsDone: 0, rowsFailed: 0 });
    this.#send({ type: 'score', jobs: given.map(({ job }) => job) });
  }

  /** Stops those of its jobs that are meant, after the present batch. */
  abort(which: (job: Job) => boolean): void {
    for (const { job } of this.#working.values()) if (which(job)) this.#send({ type: 'abort', jobId: job.id });
  }

  release(runId: string): void {
    this.#send({ type: 'release', runId });
  }

  kill(reason = 'the service stops'): void {
    this.#killedFor ??= reason;
    this.#child.kill('SIGKILL');
  }

  #send(message: ToScorer): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #receive(message: FromScorer): void {
    if (message.type === 'ready') return;
    this.#heardAt = performance.now();
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
