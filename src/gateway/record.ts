import type { Call } from './call.ts';

/** Keeps calls; where it raises, they are lost. */
export type KeepCalls = (calls: readonly Call[]) => Promise<void>;

const MOST_ROWS = 100_000;
const MOST_AT_A_TIME_ROWS = 10_000;
/** To write each call by itself took as much time of the process as to answer it. */
const GATHER_MS = 250;

/**
 * Settled calls on their way to where they are kept, off the path of the callers. In memory, up to a number of rows;
 * past it calls are dropped and counted.
 */
export class Recorder {
  readonly #keep: KeepCalls;
  readonly #onError: (error: unknown) => void;
  #calls: Call[] = [];
  #rows = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;
  #hurry: () => void = () => undefined;

  constructor(keep: KeepCalls, onError: (error: unknown) => void) {
    this.#keep = keep;
    this.#onError = onError;
  }

  /** Calls that were dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  record(call: Call): void {
    const { length } = call.rows;
    if (this.#rows + length > MOST_ROWS) {
      this.#dropped += 1;
      return;
    }
    this.#calls.push(call);
    this.#rows += length;
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was recorded is kept. */
  async drained(): Promise<void> {
    this.#hurry();
    await this.#writing;
  }

  async #write(): Promise<void> {
    await this.#gathered();
    while (this.#calls.length > 0) {
      const calls = this.#next();
      await this.#keep(calls).catch((error: unknown) => {
        this.#dropped += calls.length;
        this.#onError(error);
      });
      this.#rows -= rowsOf(calls);
    }
    this.#writing = undefined;
  }

  #gathered(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #next(): Call[] {
    let rows = 0;
    const end = this.#calls.findIndex((call) => (rows += call.rows.length) > MOST_AT_A_TIME_ROWS);
    return this.#calls.splice(0, end < 0 ? this.#calls.length : Math.max(1, end));
  }
}

function rowsOf(calls: readonly Call[]): number {
  return calls.reduce((sum, { rows }) => sum + rows.length, 0);
}
