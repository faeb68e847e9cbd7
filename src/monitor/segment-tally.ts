import type { SegmentPlaces } from '../lib/segment-places.ts';

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
const PLACES = 256;
/** Counts that a job keeps at most, some 100 MB: ten years of two columns of 200 values. Further ones are left out. */
const MOST_COUNTS = 2_000_000;

/** Counts the predictions of a job by day and segment while they pass by. */
export class SegmentTally {
  #values: SegmentPlaces['values'] = [];
  /** Of each day, the counts of predictions and of failed rows that are not 0, by column and place. */
  readonly #counts = new Map<number | null, Map<number, number>>();
  #size = 0;

  /** Counts the rows of a batch; `days` has the local day of each, `failed` those that have no prediction. */
  add({ places, values }: SegmentPlaces, days: readonly (number | null)[], failed: ReadonlyMap<number, unknown>): void {
    this.#values = values;
    for (const [column, of] of places.entries()) {
      for (let row = 0; row < days.length; row += 1) {
        const counts = this.#countsOf(days[row] ?? null);
        const key = 2 * (column * PLACES + (of[row] ?? 0)) + (failed.size > 0 && failed.has(row) ? 1 : 0);
        const count = counts.get(key);
        if (count !== undefined) counts.set(key, count + 1);
        else if (this.#size < MOST_COUNTS) this.#begin(counts, key);
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

  #begin(counts: Map<number, number>, key: number): void {
    this.#size += 1;
    counts.set(key, 1);
  }

  #countsOf(day: number | null): Map<number, number> {
    const known = this.#counts.get(day) ?? new Map<number, number>();
    this.#counts.set(day, known);
    return known;
  }
}
