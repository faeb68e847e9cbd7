import type { SegmentPlaces } from '../lib/segment-places.ts';
import { OTHER } from './segment-values.ts';

/** What a job predicted on one day, as columns that go in pairs: one element a column and value. */
export type SegmentDay = {
  /** Start of the day, in seconds since 1970; null where the source has no event time, and the run's snapshot is meant. */
  readonly day: number | null;
  /** Which of the run's segments, from 1. */
  readonly places: number[];
  readonly names: (string | null)[];
  readonly counts: number[];
  readonly failed: number[];
};

/** Places that a column has at most. */
const PLACES = 2 ** 17;
/** Counts that a job keeps at most, some 100 MB. */
const MOST_COUNTS = 2_000_000;

/**
 * Counts the predictions of a job by day and segment while they pass by. Where it has no room for another count, the rarer
 * half of the values without a name count as others from then on; where that makes none, counts that are new are left out.
 */
export class SegmentTally {
  #values: SegmentPlaces['values'] = [];
  #firstUnnamed: SegmentPlaces['firstUnnamed'] = [];
  /** Of each day, the counts of predictions and of failed rows that are not 0, by column and place. */
  readonly #counts = new Map<number | null, Map<number, number>>();
  /** Columns and places that count as others. */
  readonly #folded = new Set<number>();
  readonly #most: number;
  #size = 0;

  constructor(most = MOST_COUNTS) {
    this.#most = most;
  }

  /** Counts the rows of a batch; `days` has the local day of each, `failed` those that have no prediction. */
  add(
    { places, values, firstUnnamed }: SegmentPlaces,
    days: readonly (number | null)[],
    failed: ReadonlyMap<number, unknown>,
  ): void {
    this.#values = values;
    this.#firstUnnamed = firstUnnamed;
    for (const [column, of] of places.entries()) {
      for (let row = 0; row < days.length; row += 1) {
        const pair = column * PLACES + (of[row] ?? 0);
        this.#count(days[row] ?? null, pair, failed.size > 0 && failed.has(row) ? 1 : 0);
      }
    }
  }

  get days(): SegmentDay[] {
    return [...this.#counts].map(([day, counts]) => {
      const found: SegmentDay = { day, places: [], names: [], counts: [], failed: [] };
      for (const pair of new Set([...counts.keys()].map((key) => key >> 1))) {
        const [column, place] = [Math.floor(pair / PLACES), pair % PLACES];
        found.places.push(column + 1);
        found.names.push(this.#values[column]?.[place] ?? null);
        found.counts.push(counts.get(2 * pair) ?? 0);
        found.failed.push(counts.get(2 * pair + 1) ?? 0);
      }
      return found;
    });
  }

  #count(day: number | null, pair: number, failed: 0 | 1): void {
    const counts = this.#countsOf(day);
    const key = 2 * (this.#folded.size > 0 && this.#folded.has(pair) ? otherOf(pair) : pair) + failed;
    const count = counts.get(key);
    if (count !== undefined) counts.set(key, count + 1);
    else if (this.#size < this.#most) {
      this.#size += 1;
      counts.set(key, 1);
    } else if (this.#fold()) this.#count(day, pair, failed);
  }

  /** Makes the rarer half of the values without a name others; false where there is none. */
  #fold(): boolean {
    const totals = new Map<number, number>();
    for (const counts of this.#counts.values())
      for (const [key, count] of counts)
        if (this.#isUnnamed(key >> 1)) totals.set(key >> 1, (totals.get(key >> 1) ?? 0) + count);
    const byCount = [...totals].toSorted(([, a], [, b]) => a - b);
    for (const [pair] of byCount.slice(0, Math.ceil(byCount.length / 2))) this.#folded.add(pair);
    this.#size = 0;
    for (const [day, counts] of this.#counts) {
      const left = new Map<number, number>();
      for (const [key, count] of counts) {
        const to = this.#folded.has(key >> 1) ? 2 * otherOf(key >> 1) + (key & 1) : key;
        left.set(to, (left.get(to) ?? 0) + count);
      }
      this.#counts.set(day, left);
      this.#size += left.size;
    }
    return byCount.length > 0;
  }

  #isUnnamed(pair: number): boolean {
    return pair % PLACES >= (this.#firstUnnamed[Math.floor(pair / PLACES)] ?? PLACES);
  }

  #countsOf(day: number | null): Map<number, number> {
    const known = this.#counts.get(day) ?? new Map<number, number>();
    this.#counts.set(day, known);
    return known;
  }
}

/** Where the other values of the same column are counted. */
function otherOf(pair: number): number {
  return pair - (pair % PLACES) + OTHER;
}
