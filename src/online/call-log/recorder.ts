import { isRefusedValue } from '../../postgres/sqlstate.ts';
import type { Call } from '../requests/call.ts';
import {
  callsOf,
  countOf,
  encodeCalls,
  batchOfCalls,
  batchOf,
  type EncodedCalls,
  type EncodedCall,
  type LogBatch,
} from './encode.ts';
import { inParts } from './join-calls.ts';
import { LogBudget } from './log-budget.ts';
import type { WatchedVersions } from './watched-versions.ts';

/** Writes encoded calls to the log; where it raises, they are lost. */
export type WriteCalls = (encoded: LogBatch) => Promise<void>;

export type Watching = Pick<WatchedVersions, 'get' | 'isFresh' | 'renew'>;

const MOST_AT_A_TIME_ROWS = 10_000;
/** To write each call by itself took as much time of the process as to answer it. */
const GATHER_MS = 500;
/** Calls that wait with their rows take a fifth of the process's time for the garbage collector; columns of only 32 rows take five times as long a row. */
const ENCODE_ROWS = 128;

/**
 * Writes finished calls to the log, after their callers were answered: a call is recorded, encoded once many rows wait, and written
 * with all others after half a second. Calls for which the budget has no room are dropped and counted.
 */
export class Recorder {
  readonly #writeCalls: WriteCalls;
  readonly #versions: Watching;
  readonly #budget: LogBudget;
  readonly #onError: (error: unknown) => void;
  #calls: Call[] = [];
  #callRows = 0;
  #encoded: EncodedCalls[] = [];
  #dropped = 0;
  #soon: NodeJS.Immediate | undefined;
  #encoding: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  #endGathering: () => void = () => undefined;
  #isDraining = false;

  constructor(writeCalls: WriteCalls, versions: Watching, onError: (error: unknown) => void, budget = new LogBudget()) {
    this.#writeCalls = writeCalls;
    this.#versions = versions;
    this.#budget = budget;
    this.#onError = onError;
  }

  /** Calls that were dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  record(call: Call): void {
    // One that failed is a single tuple.
    const rows = call.answered === undefined ? 1 : call.rows.length;
    if (!this.#budget.take(rows, call.hasRoom)) {
      this.#dropped += 1;
      return;
    }
    this.#calls.push(call);
    this.#callRows += rows;
    // By then its caller has the answer.
    if (this.#callRows >= ENCODE_ROWS || call.isLong) this.#soon ??= setImmediate(() => void this.#encode());
    this.#writing ??= this.#write();
    if (this.#budget.rows >= MOST_AT_A_TIME_ROWS) this.#endGathering();
  }

  /** Resolves when all that was recorded is written. */
  async drained(): Promise<void> {
    this.#isDraining = true;
    this.#endGathering();
    await this.#writing;
    this.#isDraining = false;
  }

  /** Encodes the calls that wait, by what is known of their versions. What can not be encoded is lost. */
  #encode(): Promise<void> {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    this.#encoding ??= this.#lookUpAndEncode().finally(() => {
      this.#encoding = undefined;
    });
    return this.#encoding;
  }

  async #lookUpAndEncode(): Promise<void> {
    let failure: unknown;
    try {
      // All of them each time: else two that come in turns, on a slow database, would be looked up for ever.
      for (let ids = this.#versionIds(); !this.#areFresh(ids); ids = this.#versionIds())
        await this.#versions.renew(ids);
    } catch (error) {
      failure = error;
    }
    const [calls, rows] = [this.#calls, this.#callRows];
    this.#calls = [];
    this.#callRows = 0;
    try {
      if (failure !== undefined) throw failure;
      if (calls.length > 0) this.#encoded.push(encodeCalls(calls, rows, this.#versions));
    } catch (error) {
      this.#dropped += calls.length;
      this.#budget.lost(rows);
      this.#onError(error);
    }
  }

  #versionIds(): Set<number> {
    return new Set(this.#calls.map(({ request }) => request.versionId));
  }

  #areFresh(versionIds: ReadonlySet<number>): boolean {
    for (const versionId of versionIds) if (!this.#versions.isFresh(versionId)) return false;
    return true;
  }

  /** What comes meanwhile waits for the next time: small batches one behind the other took more time to count than to write. */
  async #write(): Promise<void> {
    do {
      await this.#gathered();
      await this.#encode();
      for (const some of inParts(this.#encoded.splice(0), MOST_AT_A_TIME_ROWS, ({ rows }) => rows))
        await this.#writeTogether(some);
    } while (this.#calls.length + this.#encoded.length > 0);
    this.#writing = undefined;
  }

  async #writeTogether(some: readonly EncodedCalls[]): Promise<void> {
    const rows = some.reduce((sum, each) => sum + each.rows, 0);
    const areSomeWritten = await this.#writeCalls(batchOf(some)).then(
      () => true,
      (error: unknown) => {
        this.#onError(error);
        return this.#writeHalves(some.flatMap(callsOf), error);
      },
    );
    if (areSomeWritten) this.#budget.written(rows);
    else this.#budget.lost(rows);
  }

  /**
   * Writes those of some calls that can be written, where the values of one may be to blame that all were refused; whether any was.
   * Their features, which are columns of all of them, are not counted.
   */
  async #writeHalves(calls: readonly EncodedCall[], error: unknown): Promise<boolean> {
    if (calls.length === 1 || !isRefusedValue(error)) {
      this.#dropped += countOf(calls);
      return false;
    }
    const middle = calls.length >> 1;
    let areSomeWritten = false;
    for (const half of [calls.slice(0, middle), calls.slice(middle)]) {
      const isWritten = await this.#writeCalls(batchOfCalls(half)).then(
        () => true,
        (reason: unknown) => this.#writeHalves(half, reason),
      );
      areSomeWritten ||= isWritten;
    }
    return areSomeWritten;
  }

  #gathered(): Promise<void> {
    return new Promise((resolve) => {
      const isEnough = this.#isDraining || this.#budget.rows >= MOST_AT_A_TIME_ROWS;
      const timer = setTimeout(resolve, isEnough ? 0 : GATHER_MS);
      this.#endGathering = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
