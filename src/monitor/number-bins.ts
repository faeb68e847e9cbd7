/** Where a value is counted; the bins follow. The same in the arrays of pgscore_data.cell_feature, which begin at 1. */
export const MISSING = 0;
const BELOW = 1;
const FIRST_BIN = 2;

/** One more than the edges that slotOf() looks through; there are at most 99. */
const ROOM = 128;

/** The frozen bins of a number: closed on the left, as in width_bucket(); the last one holds its upper end too. */
export class NumberBins {
  /** How many slots there are: missing, below, the bins, above. */
  readonly size: number;
  readonly #low: number;
  readonly #high: number;
  readonly #edges = new Float64Array(ROOM).fill(Number.POSITIVE_INFINITY);

  /** `low` is null where the sample had no number; any is above then. */
  constructor(low: number | null, high: number | null, edges: readonly number[]) {
    this.size = low === null ? FIRST_BIN + 1 : edges.length + FIRST_BIN + 2;
    this.#low = low ?? Number.NEGATIVE_INFINITY;
    this.#high = high ?? Number.NEGATIVE_INFINITY;
    this.#edges.set(edges);
  }

  /** The slot of a number: seven halvings without a branch that could be foreseen wrongly, 11 ns however the numbers lie. */
  slotOf(x: number): number {
    if (!(x >= this.#low)) return Number.isNaN(x) ? MISSING : BELOW;
    if (x > this.#high) return this.size - 1;
    const edges = this.#edges;
    let below = Number((edges[63] ?? 0) <= x) << 6;
    below += Number((edges[below + 31] ?? 0) <= x) << 5;
    below += Number((edges[below + 15] ?? 0) <= x) << 4;
    below += Number((edges[below + 7] ?? 0) <= x) << 3;
    below += Number((edges[below + 3] ?? 0) <= x) << 2;
    below += Number((edges[below + 1] ?? 0) <= x) << 1;
    return FIRST_BIN + below + Number((edges[below] ?? 0) <= x);
  }
}
