import type { Data } from 'apache-arrow';
import type { CategoryBins } from './category-bins.ts';
import type { DayCounts } from './day-counts.ts';
import { doublesOf, isText, isThere, validityOf } from './feature-columns.ts';
import { MISSING, type NumberBins } from './number-bins.ts';

/** Numbers of this size are left out of sums, as of the cells of a regression. */
const BEYOND = 1e60;

/** Where a feature is counted: its first slot and its place among the features. */
export type Target = { readonly into: DayCounts; readonly offset: number; readonly index: number };

/** Room for a batch: its numbers as doubles, and their slots. */
export type Scratch = { readonly values: Float64Array; readonly slots: Uint8Array };

/** Counts and sums the numbers of a column, a stretch of one day at a time; `places` has the day of each row, -1 where it is not counted. */
export function countNumbers(
  column: Data,
  bins: NumberBins,
  places: Int32Array,
  { into, offset, index }: Target,
  { values, slots }: Scratch,
): void {
  const rows = places.length;
  doublesOf(column, values);
  bins.slotsOf(values, rows, slots);
  for (let from = 0; from < rows;) {
    const place = places[from] ?? -1;
    let to = from + 1;
    while (to < rows && places[to] === place) to += 1;
    if (place >= 0) {
      countSlots(slots, from, to, into.counts, place * into.slots + offset);
      sumUp(values, from, to, into, place * into.features + index);
    }
    from = to;
  }
}

function countSlots(slots: Uint8Array, from: number, to: number, counts: Uint32Array, base: number): void {
  for (let row = from; row < to; row += 1) bump(counts, base + (slots[row] ?? MISSING));
}

function sumUp(values: Float64Array, from: number, to: number, { sums, beyond }: DayCounts, at: number): void {
  let [sum, far] = [0, 0];
  for (let row = from; row < to; row += 1) {
    const x = values[row] ?? 0;
    if (Math.abs(x) < BEYOND) sum += x;
    else if (x === x) far += 1;
  }
  sums[at] = (sums[at] ?? 0) + sum;
  beyond[at] = (beyond[at] ?? 0) + far;
}

/** Counts the texts or truth values of a column. */
export function countCategories(
  column: Data,
  bins: CategoryBins,
  places: Int32Array,
  target: Target,
  { values }: Scratch,
): void {
  const slotOf = isText(column) ? textSlots(column, bins) : truthSlots(column, bins, values);
  const valid = validityOf(column);
  const { counts, slots } = target.into;
  for (let row = 0; row < places.length; row += 1) {
    const place = places[row] ?? -1;
    if (place < 0) continue;
    bump(counts, place * slots + target.offset + (isThere(valid, row) ? slotOf(row) : MISSING));
  }
}

function textSlots({ values, valueOffsets }: Data, bins: CategoryBins): (row: number) => number {
  return (row) => bins.slotOf(values, valueOffsets[row] ?? 0, valueOffsets[row + 1] ?? 0);
}

function truthSlots(column: Data, bins: CategoryBins, values: Float64Array): (row: number) => number {
  doublesOf(column, values);
  const [no, yes] = [bins.slotOfText('false'), bins.slotOfText('true')];
  return (row) => (values[row] === 0 ? no : yes);
}

function bump(counts: Uint32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}
