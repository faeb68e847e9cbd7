import type { Data, RecordBatch } from 'apache-arrow';
import type { CategoryBins } from './category-bins.ts';
import type { FeatureBins } from './feature-bins.ts';
import { columnNamed, doublesOf, isText, validityOf } from './feature-columns.ts';
import { MISSING, type NumberBins } from './number-bins.ts';

/** Numbers of this size are left out of sums, as of the cells of a regression. */
const BEYOND = 1e60;
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

type Summed = { readonly size: number; readonly offset: number; readonly index: number };

/** Counts where the features of a job lie, by day, while its batches pass by. */
export class FeatureTally {
  readonly #bins: FeatureBins;
  readonly #offsets: number[] = [];
  /** Slots of all features together. */
  readonly #width: number;
  readonly #days = new Map<number | null, number>();
  #counts = new Uint32Array(0);
  #sums = new Float64Array(0);
  /** Numbers that are there and not summed. */
  #beyond = new Uint32Array(0);
  #rows: number[] = [];
  #scratch = new Float64Array(0);

  constructor(bins: FeatureBins) {
    this.#bins = bins;
    let width = 0;
    for (const feature of bins.features) {
      this.#offsets.push(width);
      width += 'bins' in feature ? feature.bins.size : feature.categories.size;
    }
    this.#width = width;
  }

  /** Counts the rows of a batch; `days` has the local day of each, in seconds since 1970, or null for that of the snapshot. */
  add(batch: RecordBatch, days: readonly (number | null)[]): void {
    const places = this.#placesOf(days);
    if (this.#scratch.length < days.length) this.#scratch = new Float64Array(days.length);
    for (const [index, feature] of this.#bins.features.entries()) {
      const column = columnNamed(batch, feature.name);
      if (column === undefined) continue;
      const offset = this.#offsets[index] ?? 0;
      if ('bins' in feature) this.#addNumbers(column, feature.bins, places, { size: this.#width, offset, index });
      else this.#addCategories(column, feature.categories, places, offset);
    }
  }

  get days(): DayTally[] {
    return [...this.#days].map(([day, at]) => this.#dayTally(day, at));
  }

  /** The number of each row's day, -1 where it is one too many. */
  #placesOf(days: readonly (number | null)[]): Int32Array {
    const places = new Int32Array(days.length);
    let last: number | null | undefined;
    let place = -1;
    for (let row = 0; row < days.length; row += 1) {
      const day = days[row] ?? null;
      if (day !== last) {
        last = day;
        place = this.#days.get(day) ?? this.#newDay(day);
      }
      places[row] = place;
      if (place >= 0) this.#rows[place] = (this.#rows[place] ?? 0) + 1;
    }
    return places;
  }

  #newDay(day: number | null): number {
    const place = this.#days.size;
    if (place > 0 && (place + 1) * this.#width > MOST_COUNTS) return -1;
    this.#days.set(day, place);
    this.#rows[place] = 0;
    if (this.#counts.length < (place + 1) * this.#width) this.#grow(Math.max(1, 2 * place));
    return place;
  }

  #grow(days: number): void {
    const [counts, sums, beyond] = [this.#counts, this.#sums, this.#beyond];
    const features = this.#bins.features.length;
    this.#counts = new Uint32Array(days * this.#width);
    this.#sums = new Float64Array(days * features);
    this.#beyond = new Uint32Array(days * features);
    this.#counts.set(counts);
    this.#sums.set(sums);
    this.#beyond.set(beyond);
  }

  #addNumbers(column: Data, bins: NumberBins, places: Int32Array, { size, offset, index }: Summed): void {
    const values = doublesOf(column, this.#scratch);
    if (values === undefined) return;
    const valid = validityOf(column);
    const [counts, sums, beyond] = [this.#counts, this.#sums, this.#beyond];
    const features = this.#bins.features.length;
    for (let row = 0; row < places.length; row += 1) {
      const place = places[row] ?? -1;
      if (place < 0) continue;
      const x = valid === null || ((valid[row >> 3] ?? 0) & (1 << (row & 7))) !== 0 ? (values[row] ?? 0) : Number.NaN;
      const at = place * size + offset + bins.slotOf(x);
      counts[at] = (counts[at] ?? 0) + 1;
      const sum = place * features + index;
      if (x < BEYOND && x > -BEYOND) sums[sum] = (sums[sum] ?? 0) + x;
      else if (!Number.isNaN(x)) beyond[sum] = (beyond[sum] ?? 0) + 1;
    }
  }

  #addCategories(column: Data, bins: CategoryBins, places: Int32Array, offset: number): void {
    const slotOf = isText(column) ? textSlots(column, bins) : truthSlots(column, bins, this.#scratch);
    const valid = validityOf(column);
    for (let row = 0; row < places.length; row += 1) {
      const place = places[row] ?? -1;
      if (place < 0) continue;
      const there = valid === null || ((valid[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
      const at = place * this.#width + offset + (there ? slotOf(row) : MISSING);
      this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    }
  }

  #dayTally(day: number | null, place: number): DayTally {
    const rows = this.#rows[place] ?? 0;
    const tally: DayTally = { day, rows, features: [], slots: [], counts: [], sums: [] };
    const from = place * this.#width;
    for (const [index, { feature, ...counted }] of this.#bins.features.entries()) {
      if (!('bins' in counted)) continue;
      const at = place * this.#bins.features.length + index;
      const missing = this.#counts[from + (this.#offsets[index] ?? 0) + MISSING] ?? 0;
      push(tally, feature, 0, rows - missing - (this.#beyond[at] ?? 0));
      tally.sums.push(this.#sums[at] ?? 0);
    }
    for (const [index, { feature }] of this.#bins.features.entries()) {
      const start = this.#offsets[index] ?? 0;
      const end = this.#offsets[index + 1] ?? this.#width;
      for (let slot = start; slot < end; slot += 1) {
        const count = this.#counts[from + slot] ?? 0;
        if (count > 0) push(tally, feature, slot - start + 1, count);
      }
    }
    return tally;
  }
}

function push(tally: DayTally, feature: number, slot: number, count: number): void {
  tally.features.push(feature);
  tally.slots.push(slot);
  tally.counts.push(count);
}

function textSlots({ values, valueOffsets }: Data, bins: CategoryBins): (row: number) => number {
  return (row) => bins.slotOf(values, valueOffsets[row] ?? 0, valueOffsets[row + 1] ?? 0);
}

function truthSlots(column: Data, bins: CategoryBins, scratch: Float64Array): (row: number) => number {
  const values = doublesOf(column, scratch);
  const slots = [bins.slotOfText('false'), bins.slotOfText('true')];
  return (row) => slots[values?.[row] === 0 ? 0 : 1] ?? MISSING;
}
