import type { RecordBatch, Data } from 'apache-arrow';
import { columnNamed, doublesOf, isText, isThere, validityOf } from './arrow-column.ts';
import type { CountedFeature, FeatureBins } from './feature-bins.ts';
import { MISSING, type CategoryBins, type NumberBins } from './value-bins.ts';

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
    const dayIndexes = this.#dayIndexesOf(days);
    const rows = days.length;
    if (this.#scratch.slots.length < rows)
      this.#scratch = { values: new Float64Array(rows), slots: new Uint8Array(rows) };
    for (const { counted, offset, index } of this.#features) {
      const column = columnNamed(batch, counted.name);
      if (column === undefined) continue;
      const target = { into: this.#counted, offset, index };
      if ('bins' in counted) countNumbers(column, counted.bins, dayIndexes, target, this.#scratch);
      else countCategories(column, counted.categories, dayIndexes, target, this.#scratch);
    }
  }

  get days(): DayTally[] {
    return [...this.#days].map(([day, dayIndex]) => {
      const tally = { day, rows: this.#rows[dayIndex] ?? 0, features: [], slots: [], counts: [], sums: [] };
      for (const placed of this.#features) if ('bins' in placed.counted) this.#tellSum(placed, dayIndex, tally);
      for (const placed of this.#features) this.#tellCounts(placed, dayIndex, tally);
      return tally;
    });
  }

  /** The number of each row's day, -1 where it is one too many. */
  #dayIndexesOf(days: readonly (number | null)[]): Int32Array {
    const dayIndexes = new Int32Array(days.length);
    let last: number | null | undefined;
    let dayIndex = -1;
    for (let row = 0; row < days.length; row += 1) {
      const day = days[row] ?? null;
      if (day !== last) dayIndex = this.#days.get(day) ?? this.#newDay(day);
      last = day;
      dayIndexes[row] = dayIndex;
      if (dayIndex >= 0) this.#rows[dayIndex] = (this.#rows[dayIndex] ?? 0) + 1;
    }
    return dayIndexes;
  }

  #newDay(day: number | null): number {
    const dayIndex = this.#days.size;
    if (dayIndex > 0 && (dayIndex + 1) * this.#counted.slots > MOST_COUNTS) return -1;
    this.#days.set(day, dayIndex);
    this.#counted.reach(dayIndex + 1);
    return dayIndex;
  }

  #tellSum({ counted: { feature }, offset, index }: Placed, dayIndex: number, tally: DayTally): void {
    const { counts, sums, beyond, slots, features } = this.#counted;
    const at = dayIndex * features + index;
    push(tally, feature, 0, tally.rows - (counts[dayIndex * slots + offset + MISSING] ?? 0) - (beyond[at] ?? 0));
    tally.sums.push(sums[at] ?? 0);
  }

  #tellCounts({ counted: { feature }, offset, size }: Placed, dayIndex: number, tally: DayTally): void {
    const from = dayIndex * this.#counted.slots + offset;
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

/** Numbers of this size are left out of sums, as of the cells of a regression. */
const BEYOND = 1e60;

/** Where a feature is counted: its first slot, and its index among the features. */
type Target = { readonly into: DayCounts; readonly offset: number; readonly index: number };

/** Room for a batch: its numbers as doubles, and their slots. */
type Scratch = { readonly values: Float64Array; readonly slots: Uint8Array };

/** Counts and sums the numbers of a column, a stretch of one day at a time; `dayIndexes` has the day of each row, -1 where it is not counted. */
function countNumbers(
  column: Data,
  bins: NumberBins,
  dayIndexes: Int32Array,
  { into, offset, index }: Target,
  { values, slots }: Scratch,
): void {
  const rows = dayIndexes.length;
  doublesOf(column, values);
  bins.slotsOf(values, rows, slots);
  for (let from = 0; from < rows;) {
    const dayIndex = dayIndexes[from] ?? -1;
    let to = from + 1;
    while (to < rows && dayIndexes[to] === dayIndex) to += 1;
    if (dayIndex >= 0) {
      countSlots(slots, from, to, into.counts, dayIndex * into.slots + offset);
      sumUp(values, from, to, into, dayIndex * into.features + index);
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
function countCategories(
  column: Data,
  bins: CategoryBins,
  dayIndexes: Int32Array,
  target: Target,
  { values }: Scratch,
): void {
  const slotOf = isText(column) ? textSlots(column, bins) : truthSlots(column, bins, values);
  const valid = validityOf(column);
  const { counts, slots } = target.into;
  for (let row = 0; row < dayIndexes.length; row += 1) {
    const dayIndex = dayIndexes[row] ?? -1;
    if (dayIndex < 0) continue;
    bump(counts, dayIndex * slots + target.offset + (isThere(valid, row) ? slotOf(row) : MISSING));
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

/** Counts and sums of days, one row of a matrix each, which grow with the days. */
class DayCounts {
  /** Slots of all features together, and features: the columns of the two matrices. */
  readonly slots: number;
  readonly features: number;
  counts = new Uint32Array(0);
  sums = new Float64Array(0);
  /** Numbers that are there and not summed. */
  beyond = new Uint32Array(0);
  #days = 0;

  constructor(slots: number, features: number) {
    this.slots = slots;
    this.features = features;
  }

  /** Makes room for so many days. */
  reach(days: number): void {
    if (days <= this.#days) return;
    this.#days = Math.max(days, 2 * this.#days);
    const { counts, sums, beyond } = this;
    this.counts = new Uint32Array(this.#days * this.slots);
    this.sums = new Float64Array(this.#days * this.features);
    this.beyond = new Uint32Array(this.#days * this.features);
    this.counts.set(counts);
    this.sums.set(sums);
    this.beyond.set(beyond);
  }
}
