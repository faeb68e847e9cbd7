import { tooLate } from './call.ts';
import type { WireError } from '../protocol/wire-error.ts';

/** For how long a message waits to become a call: until its deadline, or until its caller goes or gives it up. */
export class Deadline {
  /** Who asks, as far as it is known. */
  readonly owner: string;
  readonly #deadlineMs: number;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #lost: Promise<never>;
  #lose: (error: WireError) => void = () => undefined;
  #error: WireError | undefined;

  constructor(owner: string, deadlineMs: number) {
    this.owner = owner;
    this.#deadlineMs = deadlineMs;
    this.#lost = new Promise((_, reject) => {
      this.#lose = reject;
    });
    this.#lost.catch(() => undefined);
    this.#timer = setTimeout(() => this.fail(tooLate(deadlineMs)), deadlineMs);
  }

  get elapsedMs(): number {
    return performance.now() - this.#began;
  }

  fail(error: WireError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#lose(error);
  }

  /** Raises where nobody waits any more. A timer comes late where work blocks the thread, so the clock is asked too. */
  check(): void {
    if (this.elapsedMs >= this.#deadlineMs) this.fail(tooLate(this.#deadlineMs));
    if (this.#error !== undefined) throw this.#error;
  }

  /** What is waited for, unless it is given up before. */
  or<T>(awaited: Promise<T>): Promise<T> {
    return Promise.race([awaited, this.#lost]);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
