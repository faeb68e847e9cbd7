import type { Data } from 'apache-arrow';
import type { CategoryBins } from './category-bins.ts';
import type { DayCounts } from './day-counts.ts';
import { doublesOf, isText, isThere, validityOf } from './feature-columns.ts';
import { MISSING, type NumberBins } from './number-bins.ts';

/** Numbers of this size are left out of sums, as of the cells of a regression. */
const BEYOND = 1e60;

/** Where a feature is counted: its first slot and its place among the features. */
export type Target = { readonly into: DayCounts; readonly offset: number; readonly index: number };

/** Counts and sums the numbers of a column; `places` has the day of each row, -1 where it is not counted. */
export function countNumbers(
  column: Data,
  bins: NumberBins,
  places: Int32Array,
  target: Target,
  scratch: Float64Array,
): void {
  const values = doublesOf(column, scratch);
  const valid = validityOf(column);
  const { counts, sums, beyond, slots, features } = target.into;
  for (let row = 0; row < places.length; row += 1) {
    const place = places[row] ?? -1;
    if (place < 0) continue;
    const x = isThere(valid, row) ? (values[row] ?? Number.NaN) : Number.NaN;
    bump(counts, place * slots + target.offset + bins.slotOf(x));
    const at = place * features + target.index;
    if (Math.abs(x) < BEYOND) sums[at] = (sums[at] ?? 0) + x;
    else if (!Number.isNaN(x)) bump(beyond, at);
  }
}

/** Counts the texts or truth values of a column. */
export function countCategories(
  column: Data,
  bins: CategoryBins,
  places: Int32Array,
  target: Target,
  scratch: Float64Array,
): void {
  const slotOf = isText(column) ? textSlots(column, bins) : truthSlots(column, bins, scratch);
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

function truthSlots(column: Data, bins: CategoryBins, scratch: Float64Array): (row: number) => number {
  const values = doublesOf(column, scratch);
  const [no, yes] = [bins.slotOfText('false'), bins.slotOfText('true')];
  return (row) => (values[row] === 0 ? no : yes);
}

function bump(counts: Uint32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}
