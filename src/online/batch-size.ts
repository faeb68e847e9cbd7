/** Runs are to take so long, so that calls take turns and no runner is detached for the number of its rows. */
const LONG_MS = 250;
const SHORT_MS = 100;

/** How many rows of a version go into one run: fewer where they took long. */
export class BatchSize {
  readonly #most: number;
  /** Of versions that take fewer. */
  readonly #rows = new Map<number, number>();

  constructor(most: number) {
    this.#most = most;
  }

  of(versionId: number): number {
    return this.#rows.get(versionId) ?? this.#most;
  }

  ran(versionId: number, rows: number, ms: number): void {
    const size = this.of(versionId);
    if (ms > LONG_MS && rows > 1) this.#rows.set(versionId, Math.max(1, Math.floor((rows * LONG_MS) / ms)));
    else if (size < this.#most && ms < SHORT_MS && rows >= size)
      this.#rows.set(versionId, Math.min(this.#most, 2 * size));
  }
}
