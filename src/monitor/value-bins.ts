import { hashBytes, sameBytes } from '../lib/bytes.ts';

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

const NEW = 1;
const FIRST_BIN = 2;
/** Longer texts are no categories, in bytes. */
export const LONGEST = 200;

type Entry = { readonly bytes: Uint8Array; readonly slot: number };

/** The categories of a feature that have a bin, and those that are known. */
export class CategoryBins {
  /** How many slots there are: missing, new, the categories, others. */
  readonly size: number;
  /** How many categories are known, with a bin and without. */
  readonly known: number;
  readonly #unknown: number;
  readonly #mask: number;
  readonly #table: (Entry | undefined)[];

  /** `others` are known and have no bin; null where they were too many to distinguish from new ones. */
  constructor(categories: readonly string[], others: readonly string[] | null) {
    this.size = categories.length + FIRST_BIN + 1;
    this.known = categories.length + (others?.length ?? 0);
    this.#unknown = others === null ? this.size - 1 : NEW;
    this.#mask = 2 ** Math.ceil(Math.log2(4 * this.known + 2)) - 1;
    this.#table = Array.from({ length: this.#mask + 1 });
    for (const [index, category] of categories.entries()) this.#enter(category, FIRST_BIN + index);
    for (const category of others ?? []) this.#enter(category, this.size - 1);
  }

  /** The slot of a text, by its bytes. */
  slotOf(source: Uint8Array, start: number, end: number): number {
    if (end - start > LONGEST) return this.size - 1;
    for (let at = hashBytes(source, start, end) & this.#mask; ; at = (at + 1) & this.#mask) {
      const entry = this.#table[at];
      if (entry === undefined) return this.#unknown;
      if (sameBytes(entry.bytes, source, start, end)) return entry.slot;
    }
  }

  slotOfText(text: string | null): number {
    if (text === null) return MISSING;
    const bytes = Buffer.from(text);
    return this.slotOf(bytes, 0, bytes.length);
  }

  #enter(category: string, slot: number): void {
    const bytes = Buffer.from(category);
    let at = hashBytes(bytes, 0, bytes.length) & this.#mask;
    while (this.#table[at] !== undefined) at = (at + 1) & this.#mask;
    this.#table[at] = { bytes, slot };
  }
}

/** Cells of equal width between the ends of the bins: of so many, none holds two edges of most features. 9 kB a feature. */
const CELLS = 1024;

/**
 * Bins that are looked up in one step: the cell of a number tells how many edges lie before it and which one lies in it.
 * 3 to 5 ns a number, where halving takes 10.
 */
class BinCells {
  readonly #low: number;
  readonly #scale: number;
  readonly #before = new Uint8Array(CELLS + 1);
  readonly #edge = new Float64Array(CELLS + 1).fill(Number.NaN);

  private constructor(low: number, scale: number) {
    this.#low = low;
    this.#scale = scale;
  }

  /** Undefined where two edges lie in one cell, or where the ends are too near or too far to be divided. */
  static of(low: number, high: number, edges: readonly number[]): BinCells | undefined {
    const scale = CELLS / (high - low);
    if (!(scale > 0 && Number.isFinite(scale))) return undefined;
    const cells = new BinCells(low, scale);
    for (const edge of edges) {
      const cell = cells.#cellOf(edge);
      if (!Number.isNaN(cells.#edge[cell])) return undefined;
      cells.#edge[cell] = edge;
      for (let later = cell + 1; later <= CELLS; later += 1) cells.#before[later] = (cells.#before[later] ?? 0) + 1;
    }
    return cells;
  }

  /** Puts the slots of numbers into `slots`; those outside of the ends have `below` and `above`, NaN has 0. */
  slotsOf(values: Float64Array, rows: number, slots: Uint8Array, { high, below, above }: Outside): void {
    const [low, scale, before, edge] = [this.#low, this.#scale, this.#before, this.#edge];
    for (let row = 0; row < rows; row += 1) {
      const x = values[row] ?? Number.NaN;
      if (x >= low && x <= high) {
        const cell = ((x - low) * scale) | 0;
        slots[row] = below + 1 + (before[cell] ?? 0) + Number((edge[cell] ?? 0) <= x);
      } else {
        slots[row] = x > high ? above : x < low ? below : 0;
      }
    }
  }

  /** As slotsOf() has it: rounding keeps the order, so an edge in an earlier cell is not above a number. */
  #cellOf(x: number): number {
    return ((x - this.#low) * this.#scale) | 0;
  }
}

type Outside = { readonly high: number; readonly below: number; readonly above: number };
