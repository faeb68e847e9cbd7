import type { Call } from '../requests/call.ts';

/** Rows that were answered and are not written yet, past which the log is behind. */
const MOST_ROWS = 100_000;
/** Beside these, for calls that did not wait for it. */
const RESERVED_ROWS = 20_000;
/** A call of no more rows is never held up. */
const SMALL_ROWS = 64;
/** Where nothing was written for so long, the log is at a standstill. */
const STANDSTILL_MS = 2000;

type Limits = { readonly mostRows: number; readonly reservedRows: number; readonly standstillMs: number };

const LIMITS: Limits = { mostRows: MOST_ROWS, reservedRows: RESERVED_ROWS, standstillMs: STANDSTILL_MS };

/**
 * Bounds the rows that are answered and not logged yet. If the database logs more slowly than calls come, large calls wait before they
 * are scored: until the log has caught up, or half of their time is over. So what is answered is logged. If the database logs nothing
 * at all, nobody waits, and calls without room are answered and not logged.
 */
export class LogBudget {
  readonly #limits: Limits;
  readonly #waiting = new Set<(caughtUp: boolean) => void>();
  #rows = 0;
  #watch: NodeJS.Timeout | undefined;
  #standsStill = false;
  #ended = false;

  constructor(limits: Partial<Limits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  get rows(): number {
    return this.#rows;
  }

  get isBehind(): boolean {
    return this.#rows >= this.#limits.mostRows;
  }

  /** Whether a call that is to be logged has to wait before it is scored. */
  holdsUp(call: Call): boolean {
    return this.isBehind && !this.#standsStill && !this.#ended && call.rows.length > SMALL_ROWS;
  }

  /** Resolves when the call need not wait any more: with true where the log has caught up. */
  async caughtUp(call: Call): Promise<boolean> {
    const until = (call.request.deadlineMs - call.elapsedMs) / 2;
    let timer: NodeJS.Timeout | undefined;
    const caughtUp = await new Promise<boolean>((resolve) => {
      this.#waiting.add(resolve);
      this.#watch ??= setTimeout(() => this.#startStandstill(), this.#limits.standstillMs);
      timer = setTimeout(() => this.#admit(resolve, false), until);
      call.onFinished(() => this.#admit(resolve, false));
    });
    clearTimeout(timer);
    return caughtUp;
  }

  /** False where there is no room for rows that were answered. What was scored while the log was not behind always has. */
  take(rows: number, hasRoom: boolean): boolean {
    const { mostRows, reservedRows } = this.#limits;
    if (!hasRoom && this.#rows + rows > mostRows + reservedRows) return false;
    this.#rows += rows;
    return true;
  }

  /** Rows that the database has. */
  written(rows: number): void {
    this.#standsStill = false;
    this.#unwatch();
    this.#giveBack(rows);
    if (this.#waiting.size > 0) this.#watch = setTimeout(() => this.#startStandstill(), this.#limits.standstillMs);
  }

  /** Rows that it did not take. */
  lost(rows: number): void {
    this.#giveBack(rows);
    this.#startStandstill();
  }

  /** From now on nobody waits. */
  end(): void {
    this.#ended = true;
    this.#admitAll(false);
  }

  #giveBack(rows: number): void {
    this.#rows -= rows;
    if (!this.isBehind) this.#admitAll(true);
  }

  #startStandstill(): void {
    this.#standsStill = true;
    this.#unwatch();
    this.#admitAll(false);
  }

  #admitAll(caughtUp: boolean): void {
    for (const resolve of this.#waiting) this.#admit(resolve, caughtUp);
  }

  #admit(resolve: (caughtUp: boolean) => void, caughtUp: boolean): void {
    this.#waiting.delete(resolve);
    resolve(caughtUp);
    if (this.#waiting.size === 0) this.#unwatch();
  }

  #unwatch(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
  }
}
