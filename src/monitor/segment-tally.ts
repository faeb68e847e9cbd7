import type { SegmentIndexes } from '../copy/batch.ts';
import { PgscoreError } from '../errors.ts';
import { hashBytes, sameBytes } from '../lib/bytes.ts';
import { statement } from '../postgres/statement.ts';
import type { PipelinedStatement } from '../postgres/pipeline.ts';

/** What a job predicted on one day, as columns that go in pairs: one element a column and value. */
export type SegmentDay = {
  /** Start of the day, in seconds since 1970; null where the source has no event time, and the run's snapshot is meant. */
  readonly day: number | null;
  /** Which of the run's segments, from 1. */
  readonly positions: number[];
  readonly names: (string | null)[];
  readonly counts: number[];
  readonly failed: number[];
};

/** Indexes that a column has at most. */
const MOST_INDEXES = 2 ** 17;
/** Counts that a job keeps at most, some 100 MB. */
const MOST_COUNTS = 2_000_000;

/**
 * Counts the predictions of a job by day and segment while they pass by. Where it has no room for another count, the rarer
 * half of the values without a name count as others from then on; where that makes none, the run fails.
 */
export class SegmentTally {
  #values: SegmentIndexes['values'] = [];
  #firstUnnamed: SegmentIndexes['firstUnnamed'] = [];
  /** Of each day, the counts of predictions and of failed rows that are not 0, by column and index. */
  readonly #counts = new Map<number | null, Map<number, number>>();
  /** Columns and indexes that count as others. */
  readonly #folded = new Set<number>();
  readonly #most: number;
  #size = 0;

  constructor(most = MOST_COUNTS) {
    this.#most = most;
  }

  /** Counts the rows of a batch; `days` has the local day of each, `failed` those that have no prediction. */
  add(
    { indexes, values, firstUnnamed }: SegmentIndexes,
    days: readonly (number | null)[],
    failed: ReadonlyMap<number, unknown>,
  ): void {
    this.#values = values;
    this.#firstUnnamed = firstUnnamed;
    for (const [column, of] of indexes.entries()) {
      for (let row = 0; row < days.length; row += 1) {
        const pair = column * MOST_INDEXES + (of[row] ?? 0);
        this.#count(days[row] ?? null, pair, failed.size > 0 && failed.has(row) ? 1 : 0);
      }
    }
  }

  get days(): SegmentDay[] {
    return [...this.#counts].map(([day, counts]) => {
      const found: SegmentDay = { day, positions: [], names: [], counts: [], failed: [] };
      for (const pair of new Set([...counts.keys()].map((key) => key >> 1))) {
        const [column, index] = [Math.floor(pair / MOST_INDEXES), pair % MOST_INDEXES];
        found.positions.push(column + 1);
        found.names.push(this.#values[column]?.[index] ?? null);
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
    else
      throw new PgscoreError('too_many_segments', `the rows lie in more than ${this.#most} days and segments`, {
        remedy:
          'Score fewer days in one run, or watch fewer segments: select pgscore.monitor(model, segments => array[…]).',
      });
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
    return pair % MOST_INDEXES >= (this.#firstUnnamed[Math.floor(pair / MOST_INDEXES)] ?? MOST_INDEXES);
  }

  #countsOf(day: number | null): Map<number, number> {
    const known = this.#counts.get(day) ?? new Map<number, number>();
    this.#counts.set(day, known);
    return known;
  }
}

/** Where the other values of the same column are counted. */
function otherOf(pair: number): number {
  return pair - (pair % MOST_INDEXES) + OTHER;
}

/** Where a row without a value stands, and one with a value that is not distinguished. */
export const MISSING = 0;
export const OTHER = 1;

/** Named values of a column, as pgscore_data._name_segments() has it. */
const MOST_NAMED = 200;
/** Values without a name that the columns of a job share: some 50 MB, 190 MB where they are as long as may be. */
const MOST_UNNAMED = 100_000;
/** Bytes of a hundred characters, to which a read handle cuts values. The handle is the requester's, and may give longer ones. */
const LONGEST = 400;

/** Values that each of so many columns of a job may add to those that it knows; none where no further one can get a name. */
export function roomForValues(known: number, columns: number): number {
  return known < MOST_NAMED ? Math.floor(MOST_UNNAMED / columns) : 0;
}

/**
 * The values of a segment's column that a job distinguishes: those that have a name, and others as they come, up to `room`. Which
 * of these get a name is decided when the whole run is counted.
 */
export class SegmentValues {
  /** By index. */
  readonly names: (string | null)[] = [null, ':other'];
  /** The first index of a value without a name. */
  readonly firstUnnamed: number;
  readonly #most: number;
  readonly #bytes: (Uint8Array | undefined)[] = this.names.map(() => undefined);
  /** Indexes by the hash of their bytes; 0 is none. At most half full. */
  #table = new Uint32Array(1024);

  constructor(known: readonly string[], room: number) {
    this.#most = this.names.length + known.length + room;
    for (const value of known) {
      const bytes = Buffer.from(value);
      this.indexOf(bytes, 0, bytes.length);
    }
    this.firstUnnamed = this.names.length;
  }

  /** Where a text stands, by its bytes. */
  indexOf(source: Uint8Array, start: number, end: number): number {
    if (end - start > LONGEST) return OTHER;
    const mask = this.#table.length - 1;
    for (let at = hashBytes(source, start, end) & mask; ; at = (at + 1) & mask) {
      const index = this.#table[at] ?? 0;
      if (index === 0) return this.#meet(at, Buffer.from(source.subarray(start, end)));
      const bytes = this.#bytes[index];
      if (bytes !== undefined && sameBytes(bytes, source, start, end)) return index;
    }
  }

  #meet(at: number, bytes: Buffer): number {
    const index = this.names.length;
    if (index >= this.#most) return OTHER;
    this.#table[at] = index;
    this.#bytes[index] = bytes;
    this.names.push(bytes.toString());
    if (2 * index > this.#table.length) this.#grow();
    return index;
  }

  #grow(): void {
    const table = new Uint32Array(2 * this.#table.length);
    const mask = table.length - 1;
    for (const [index, bytes] of this.#bytes.entries()) {
      if (bytes === undefined) continue;
      let at = hashBytes(bytes, 0, bytes.length) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = index;
    }
    this.#table = table;
  }
}

const write = statement<[runId: string, attempt: number, shard: number, days: string]>(
  'write_segment_tally',
  `insert into pgscore_data.segment_tally (run_id, attempt, shard, day, positions, names, counts, failed)
   select $1, $2, $3, to_timestamp(d.day), d.positions, d.names, d.counts, d.failed
     from jsonb_to_recordset($4::jsonb) as d (day float8, positions smallint[], names text[], counts bigint[], failed bigint[])`,
);

/** Counts that one statement writes, so that its text stays within some megabytes. */
const MOST_WRITTEN = 50_000;

/** Leaves the counts of a job by segment beside its predictions, in the transaction that writes them. */
export function writeSegmentTally(
  { runId, attempt }: { readonly runId: string; readonly attempt: number },
  shard: number,
  days: readonly SegmentDay[],
): PipelinedStatement[] {
  const parts: SegmentDay[][] = [];
  let size = MOST_WRITTEN;
  for (const day of days) {
    if (size >= MOST_WRITTEN) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push(day);
    size += day.names.length;
  }
  return parts.map((part) => write.pipelined(runId, attempt, shard, JSON.stringify(part)));
}
