import type { RecordBatch } from 'apache-arrow';
import { countCategories, countNumbers, type Scratch } from './count-column.ts';
import { DayCounts } from './day-counts.ts';
import type { CountedFeature, FeatureBins } from './feature-bins.ts';
import { columnNamed } from './feature-columns.ts';
import { MISSING } from './number-bins.ts';

/** Counts that a job keeps at most, 16 MB: 2,000 days of 20 features. Rows of further days are not counted. */
const MOST_COUNTS = 4_000_000;

/** What a job read on one day, as columns that go in pairs; sums belong to the first of them, whose slot is 0. */
export type DayTally = {
  readonly day: number | null;
  readonly rows: number;
  readonly features: number[];
  readonly slots: number[];
  readonly counts: number[];
  readonly sums: number[];
};

type Placed = {
  readonly counted: CountedFeature;
  readonly offset: number;
  readonly size: number;
  readonly index: number;
};

/** Counts where the features of a job lie, by day, while its batches pass by. */
export class FeatureTally {
  readonly #features: Placed[] = [];
  readonly #counted: DayCounts;
  readonly #days = new Map<number | null, number>();
  readonly #rows: number[] = [];
  #scratch: Scratch = { values: new Float64Array(0), slots: new Uint8Array(0) };

  constructor(bins: FeatureBins) {
    let offset = 0;
    for (const [index, counted] of bins.features.entries()) {
      const { size } = 'bins' in counted ? counted.bins : counted.categories;
      this.#features.push({ counted, offset, size, index });
      offset += size;
    }
    this.#counted = new DayCounts(offset, bins.features.length);
  }

  /** Counts the rows of a batch; `days` has the local day of each, in seconds since 1970, or null for that of the snapshot. */
  add(batch: RecordBatch, days: readonly (number | null)[]): void {
    const places = this.#placesOf(days);
    const rows = days.length;
    if (this.#scratch.slots.length < rows)
      this.#scratch = { values: new Float64Array(rows), slots: new Uint8Array(rows) };
    for (const { counted, offset, index } of this.#features) {
      const column = columnNamed(batch, counted.name);
      if (column === undefined) continue;
      const target = { into: this.#counted, offset, index };
      if ('bins' in counted) countNumbers(column, counted.bins, places, target, this.#scratch);
      else countCategories(column, counted.categories, places, target, this.#scratch);
    }
  }

  get days(): DayTally[] {
    return [...this.#days].map(([day, place]) => {
      const tally = { day, rows: this.#rows[place] ?? 0, features: [], slots: [], counts: [], sums: [] };
      for (const placed of this.#features) if ('bins' in placed.counted) this.#tellSum(placed, place, tally);
      for (const placed of this.#features) this.#tellCounts(placed, place, tally);
      return tally;
    });
  }

  /** The number of each row's day, -1 where it is one too many. */
  #placesOf(days: readonly (number | null)[]): Int32Array {
    const places = new Int32Array(days.length);
    let last: number | null | undefined;
    let place = -1;
    for (let row = 0; row < days.length; row += 1) {
      const day = days[row] ?? null;
      if (day !== last) place = this.#days.get(day) ?? this.#newDay(day);
      last = day;
      places[row] = place;
      if (place >= 0) this.#rows[place] = (this.#rows[place] ?? 0) + 1;
    }
    return places;
  }

  #newDay(day: number | null): number {
    const place = this.#days.size;
    if (place > 0 && (place + 1) * this.#counted.slots > MOST_COUNTS) return -1;
    this.#days.set(day, place);
    this.#counted.reach(place + 1);
    return place;
  }

  #tellSum({ counted: { feature }, offset, index }: Placed, place: number, tally: DayTally): void {
    const { counts, sums, beyond, slots, features } = this.#counted;
    const at = place * features + index;
    push(tally, feature, 0, tally.rows - (counts[place * slots + offset + MISSING] ?? 0) - (beyond[at] ?? 0));
    tally.sums.push(sums[at] ?? 0);
  }

  #tellCounts({ counted: { feature }, offset, size }: Placed, place: number, tally: DayTally): void {
    const from = place * this.#counted.slots + offset;
    for (let slot = 0; slot < size; slot += 1) {
      const count = this.#counted.counts[from + slot] ?? 0;
      if (count > 0) push(tally, feature, slot + 1, count);
    }
  }
}

function push(tally: DayTally, feature: number, slot: number, count: number): void {
  tally.features.push(feature);
  tally.slots.push(slot);
  tally.counts.push(count);
}
