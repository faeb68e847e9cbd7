const MOST_ROWS = 100_000;
/** Where no row was kept for so long, the log is at a standstill. */
const STANDSTILL_MS = 2000;

type Waiting = { readonly rows: number; readonly resolve: (entered: boolean) => void };

/**
 * Room for rows from when they are scored until the log has them. Where the database keeps them more slowly than they come, calls
 * wait here for their turn to be scored, in their order: then all of them are kept. Where it keeps none at all, they do
 * not wait, and what there is no room for is dropped.
 */
export class LogRoom {
  readonly #mostRows: number;
  readonly #standstillMs: number;
  #rows = 0;
  #waiting: Waiting[] = [];
  #watch: NodeJS.Timeout | undefined;
  #standsStill = false;

  constructor(mostRows = MOST_ROWS, standstillMs = STANDSTILL_MS) {
    this.#mostRows = mostRows;
    this.#standstillMs = standstillMs;
  }

  get standsStill(): boolean {
    return this.#standsStill;
  }

  /** False where rows that are to be scored have to wait for room. */
  enter(rows: number): boolean {
    return !this.#standsStill && this.#waiting.length === 0 && this.#take(rows);
  }

  /** Resolves with true when they have it, and with false where there is nothing to wait for. */
  wait(rows: number): Promise<boolean> {
    if (this.#standsStill) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#waiting.push({ rows, resolve });
      this.#watch ??= this.#watching();
    });
  }

  /** False where rows that have been settled already find none. */
  hold(rows: number): boolean {
    return this.#take(rows);
  }

  leave(rows: number): void {
    this.#rows -= rows;
    while (this.#waiting[0] !== undefined && this.#take(this.#waiting[0].rows)) this.#waiting.shift()?.resolve(true);
    if (this.#waiting.length === 0) this.#unwatch();
  }

  /** The same, of rows that are kept: the log goes on. */
  kept(rows: number): void {
    this.#standsStill = false;
    this.#unwatch();
    this.leave(rows);
    if (this.#waiting.length > 0) this.#watch = this.#watching();
  }

  /** More rows than there is room for come in when there are no others. */
  #take(rows: number): boolean {
    if (this.#rows > 0 && this.#rows + rows > this.#mostRows) return false;
    this.#rows += rows;
    return true;
  }

  #watching(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#standsStill = true;
      this.#unwatch();
      for (const { resolve } of this.#waiting.splice(0)) resolve(false);
    }, this.#standstillMs);
  }

  #unwatch(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
  }
}
