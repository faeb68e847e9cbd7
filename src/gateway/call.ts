import type { Signature } from '../model/signature.ts';
import type { Answer, Part } from './answer.ts';
import type { ScoreRequest } from './score-request.ts';
import { WireError } from './wire-error.ts';

/** A score() under way, from its arrival until it is settled, once: answered, failed, past its deadline or given up. */
export class Call {
  readonly request: ScoreRequest;
  readonly askedAt = new Date();
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #parts: Part[] = [];
  readonly answer: Promise<Answer>;
  #resolve: (answer: Answer) => void = () => undefined;
  #reject: (error: WireError) => void = () => undefined;
  #settled: Answer | WireError | undefined;
  #ended: number | undefined;
  #taken = 0;
  #scored = 0;
  readonly #onSettled: ((call: Call) => void)[] = [];

  constructor(request: ScoreRequest) {
    this.request = request;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.answer.catch(() => undefined);
    this.#timer = setTimeout(() => this.#expire(), request.deadlineMs);
  }

  get settled(): Answer | WireError | undefined {
    return this.#settled;
  }

  get elapsedMs(): number {
    return (this.#ended ?? performance.now()) - this.#began;
  }

  get rowsLeft(): number {
    return this.request.rows.length - this.#taken;
  }

  /** Whether it still awaits its answer. A timer comes late where a run blocks the thread, so the clock is asked too. */
  get waits(): boolean {
    if (this.#settled === undefined && this.elapsedMs >= this.request.deadlineMs) this.#expire();
    return this.#settled === undefined;
  }

  onSettled(listener: (call: Call) => void): void {
    this.#onSettled.push(listener);
  }

  /** The next rows that no run has had, at most so many. */
  take(most: number): ScoreRequest['rows'] {
    const from = this.#taken;
    this.#taken = Math.min(from + most, this.request.rows.length);
    return this.request.rows.slice(from, this.#taken);
  }

  /** How many rows came before those that the next part is for. */
  get scored(): number {
    return this.#scored;
  }

  add(part: Part, signature: Signature): void {
    if (this.#settled !== undefined) return;
    this.#parts.push(part);
    this.#scored += part.rows;
    if (this.#scored < this.request.rows.length) return;
    const answer = { signature, parts: this.#parts };
    if (this.#settle(answer)) this.#resolve(answer);
  }

  fail(error: WireError): void {
    if (this.#settle(error)) this.#reject(error);
  }

  #expire(): void {
    this.fail(
      new WireError('57014', `the call was not answered within its deadline of ${this.request.deadlineMs} ms`, {
        hint: 'Allow more milliseconds, as in set pgscore.deadline = 20000, or score many rows with pgscore.score_table().',
      }),
    );
  }

  #settle(result: Answer | WireError): boolean {
    if (this.#settled !== undefined) return false;
    this.#settled = result;
    this.#ended = performance.now();
    clearTimeout(this.#timer);
    for (const listener of this.#onSettled) listener(this);
    return true;
  }
}
