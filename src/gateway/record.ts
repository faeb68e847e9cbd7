import { isRefusedValue } from '../db/sqlstate.ts';
import type { Call } from './call.ts';
import { encodeCalls, type EncodedCalls } from './encode-calls.ts';

/** Keeps encoded calls; where it raises, they are lost. */
export type KeepCalls = (encoded: readonly Buffer[]) => Promise<void>;

type Encoded = EncodedCalls & { readonly rows: number };

const MOST_ROWS = 100_000;
const MOST_AT_A_TIME_ROWS = 10_000;
/** To write each call by itself took as much time of the process as to answer it. */
const GATHER_MS = 250;
/** Calls that wait as they are, with their rows, are a fifth of the process's time for the garbage collector. */
const ENCODE_ROWS = 32;

/**
 * Settled calls on their way to where they are kept, off the path of the callers. In memory, up to a number of rows;
 * past it calls are dropped and counted.
 */
export class Recorder {
  readonly #keep: KeepCalls;
  readonly #onError: (error: unknown) => void;
  #calls: Call[] = [];
  #callRows = 0;
  #encoded: Encoded[] = [];
  #rows = 0;
  #dropped = 0;
  #encoding: NodeJS.Immediate | undefined;
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
    this.#callRows += length;
    this.#rows += length;
    // By then its caller has the answer.
    if (this.#callRows >= ENCODE_ROWS) this.#encoding ??= setImmediate(() => this.#encode());
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was recorded is kept. */
  async drained(): Promise<void> {
    this.#hurry();
    await this.#writing;
  }

  #encode(): void {
    clearImmediate(this.#encoding);
    this.#encoding = undefined;
    if (this.#calls.length === 0) return;
    const [calls, rows] = [this.#calls, this.#callRows];
    this.#calls = [];
    this.#callRows = 0;
    try {
      this.#encoded.push({ ...encodeCalls(calls), rows });
    } catch (error) {
      this.#dropped += calls.length;
      this.#rows -= rows;
      this.#onError(error);
    }
  }

  async #write(): Promise<void> {
    await this.#gathered();
    for (this.#encode(); this.#encoded.length > 0; this.#encode()) {
      const some = this.#next();
      await this.#keep(some.map(({ bytes }) => bytes)).catch((error: unknown) => {
        this.#onError(error);
        return this.#keepHalves(some.flatMap(callsOf), error);
      });
      this.#rows -= some.reduce((sum, { rows }) => sum + rows, 0);
    }
    this.#writing = undefined;
  }

  /** Of calls that failed together those that can be kept, where the values of one may be to blame. */
  async #keepHalves(calls: readonly Buffer[], error: unknown): Promise<void> {
    if (calls.length === 1 || !isRefusedValue(error)) {
      this.#dropped += calls.length;
      return;
    }
    const middle = calls.length >> 1;
    for (const half of [calls.slice(0, middle), calls.slice(middle)]) {
      await this.#keep([Buffer.concat(half)]).catch((reason: unknown) => this.#keepHalves(half, reason));
    }
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

  #next(): Encoded[] {
    let sum = 0;
    const end = this.#encoded.findIndex(({ rows }) => (sum += rows) > MOST_AT_A_TIME_ROWS);
    return this.#encoded.splice(0, end < 0 ? this.#encoded.length : Math.max(1, end));
  }
}

function callsOf({ bytes, ends }: EncodedCalls): Buffer[] {
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
