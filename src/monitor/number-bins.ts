import { BinCells, type Outside } from './bin-cells.ts';

/** Where a value is counted; the bins follow. The same in the arrays of pgscore_data.cell_feature, which begin at 1. */
export const MISSING = 0;
const BELOW = 1;

/** One more than the ends that slotsOf() looks through; there are at most 101. */
const ROOM = 128;

/** The frozen bins of a number: closed on the left, as in width_bucket(); the last one holds its upper end too. */
export class NumberBins {
  /** How many slots there are: missing, below, the bins, above. */
  readonly size: number;
  /** Where each slot after BELOW begins. */
  readonly #begins = new Float64Array(ROOM).fill(Number.NaN);
  readonly #cells: BinCells | undefined;
  readonly #outside: Outside;

  /** `low` is null where the sample had no number; any is above then. */
  constructor(low: number | null, high: number | null, edges: readonly number[]) {
    const begins = low === null ? [Number.NEGATIVE_INFINITY] : [low, ...edges, nextAbove(high ?? low)];
    this.size = BELOW + 1 + begins.length;
    this.#begins.set(begins);
    this.#cells = low === null ? undefined : BinCells.of(low, high ?? low, edges);
    this.#outside = { high: high ?? Number.NaN, below: BELOW, above: this.size - 1 };
  }

  /** Puts the slots of numbers into `slots`; NaN is missing. */
  slotsOf(values: Float64Array, rows: number, slots: Uint8Array): void {
    if (this.#cells === undefined) this.#halve(values, rows, slots);
    else this.#cells.slotsOf(values, rows, slots, this.#outside);
  }

  /** Seven halvings without a branch that could be foreseen wrongly, in a loop without a call, which would box each number. */
  #halve(values: Float64Array, rows: number, slots: Uint8Array): void {
    const begins = this.#begins;
    for (let row = 0; row < rows; row += 1) {
      const x = values[row] ?? Number.NaN;
      let past = Number((begins[63] ?? 0) <= x) << 6;
      past += Number((begins[past + 31] ?? 0) <= x) << 5;
      past += Number((begins[past + 15] ?? 0) <= x) << 4;
      past += Number((begins[past + 7] ?? 0) <= x) << 3;
      past += Number((begins[past + 3] ?? 0) <= x) << 2;
      past += Number((begins[past + 1] ?? 0) <= x) << 1;
      past += Number((begins[past] ?? 0) <= x);
      slots[row] = (BELOW + past) * Number(x === x);
    }
  }
}

/** The least number above x. */
function nextAbove(x: number): number {
  if (x === 0) return Number.MIN_VALUE;
  const number = Float64Array.of(x);
  const bits = new BigInt64Array(number.buffer);
  bits[0] = (bits[0] ?? 0n) + (x > 0 ? 1n : -1n);
  return number[0] ?? x;
}
