/** Where a value is counted; the bins follow. The same in the arrays of pgscore_data.cell_feature, which begin at 1. */
export const MISSING = 0;
const BELOW = 1;
const FIRST_BIN = 2;

/** Cells of equal width that a number is looked up in first: most hold no edge or one. */
const CELLS = 1024;

/** The frozen bins of a number: closed on the left, as in width_bucket(); the last one holds its upper end too. */
export class NumberBins {
  /** How many slots there are: missing, below, the bins, above. */
  readonly size: number;
  readonly #low: number;
  readonly #high: number;
  readonly #edges: Float64Array;
  readonly #scale: number;
  /** How many edges lie in cells before this one. */
  readonly #before = new Uint8Array(CELLS + 3);

  /** `low` is null where the sample had no number; any is above then. */
  constructor(low: number | null, high: number | null, edges: readonly number[]) {
    this.size = low === null ? FIRST_BIN + 1 : edges.length + FIRST_BIN + 2;
    this.#low = low ?? Number.NEGATIVE_INFINITY;
    this.#high = high ?? Number.NEGATIVE_INFINITY;
    this.#edges = Float64Array.from(edges);
    const width = this.#high - this.#low;
    this.#scale = width > 0 && Number.isFinite(CELLS / width) ? CELLS / width : 0;
    let at = 0;
    for (let cell = 0; cell < this.#before.length; cell += 1) {
      while (at < this.#edges.length && this.#cellOf(this.#edges[at] ?? 0) < cell) at += 1;
      this.#before[cell] = at;
    }
  }

  /** The slot of a number. An edge in a lower cell than the number is below it, as rounding keeps the order. */
  slotOf(x: number): number {
    if (!(x >= this.#low)) return Number.isNaN(x) ? MISSING : BELOW;
    if (x > this.#high) return this.size - 1;
    const cell = this.#cellOf(x);
    let low = this.#before[cell] ?? 0;
    let high = this.#before[cell + 1] ?? 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#edges[middle] ?? 0) <= x) low = middle + 1;
      else high = middle;
    }
    return FIRST_BIN + low;
  }

  #cellOf(x: number): number {
    return ((x - this.#low) * this.#scale) | 0;
  }
}
