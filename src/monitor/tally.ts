import type { ScoreBins } from './score-bins.ts';
import { statement } from '../postgres/statement.ts';
import type { PipelinedStatement } from '../postgres/pipeline.ts';

/** Predictions without a score: those of a regression, and of a classifier that gives labels only. */
const NO_SCORE = -1;
/** Rows that could not be scored. */
const FAILED = -2;

const RESERVED = 2;
/** What a bin is counted in: those that were not called positive, and those that were. */
const COUNTS = 2;
/** From so many counts a day is counted in an array rather than a map. */
const SPARSE = 200;

/** Counts of a day by slot. */
type DayCounts = Map<number, number> | Uint32Array;

/** How many predictions fell on which local day and into which bins: an element a day, in it one a bin that is not empty. */
type TallyColumns = {
  /** Start of the day, in seconds since 1970; null where the source has no event time, and the run's snapshot is meant. */
  readonly days: (number | null)[];
  readonly bins: number[][];
  readonly counts: number[][];
  /** How many of them were called positive. */
  readonly positives: number[][];
};

/**
 * Counts the predictions of a job by day and score while they pass by. Memory goes with the days that the source speaks
 * of, 12 kB for a full one.
 */
export class Tally {
  readonly #bins: ScoreBins;
  readonly #counts = new Map<number | null, DayCounts>();
  /** The counts that were added to last, and their day: rows of one day stand together. */
  #latest: DayCounts | undefined;
  #latestDay: number | null = null;

  constructor(bins: ScoreBins) {
    this.#bins = bins;
  }

  /** Counts one prediction. `score` is NaN where there is none, `day` in seconds since 1970, or null. */
  add(day: number | null, kind: 'probability' | 'value' | 'failed', score: number, isPositive = false): void {
    const slot = COUNTS * (this.#binOf(kind, score) + RESERVED) + (isPositive ? 1 : 0);
    const counts = this.#latest !== undefined && day === this.#latestDay ? this.#latest : this.#turnTo(day);
    if (counts instanceof Uint32Array) {
      counts[slot] = (counts[slot] ?? 0) + 1;
      return;
    }
    counts.set(slot, (counts.get(slot) ?? 0) + 1);
    if (counts.size > SPARSE) this.#turnTo(day, this.#filled(counts));
  }

  get columns(): TallyColumns {
    const columns: TallyColumns = { days: [], bins: [], counts: [], positives: [] };
    for (const [day, counts] of this.#counts) {
      const counted = binsOf(counts);
      columns.days.push(day);
      columns.bins.push(counted.map(({ bin }) => bin));
      columns.counts.push(counted.map(({ n }) => n));
      columns.positives.push(counted.map(({ positives }) => positives));
    }
    return columns;
  }

  #turnTo(day: number | null, counts = this.#counts.get(day) ?? new Map<number, number>()): DayCounts {
    this.#counts.set(day, counts);
    this.#latestDay = day;
    this.#latest = counts;
    return counts;
  }

  #binOf(kind: 'probability' | 'value' | 'failed', score: number): number {
    if (kind === 'failed') return FAILED;
    return kind === 'value' || Number.isNaN(score) ? NO_SCORE : this.#bins.of(score);
  }

  #filled(counts: Map<number, number>): Uint32Array {
    const filled = new Uint32Array(COUNTS * (this.#bins.count + RESERVED));
    for (const [slot, count] of counts) filled[slot] = count;
    return filled;
  }
}

/** The bins that are not empty. */
function binsOf(counts: DayCounts): { bin: number; n: number; positives: number }[] {
  const bins = new Map<number, { bin: number; n: number; positives: number }>();
  for (const [slot, count] of counts.entries()) {
    if (count === 0) continue;
    const bin = Math.floor(slot / COUNTS) - RESERVED;
    const before = bins.get(bin) ?? { bin, n: 0, positives: 0 };
    bins.set(bin, { bin, n: before.n + count, positives: before.positives + (slot % COUNTS) * count });
  }
  return [...bins.values()];
}

const write = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    days: (number | null)[],
    bins: string[],
    counts: string[],
    positives: string[],
  ]
>(
  'write_tally',
  `insert into pgscore_data.day_tally (run_id, attempt, shard, day, bins, counts, positives)
   select $1, $2, $3, to_timestamp(t.day), t.bins::smallint[], t.counts::bigint[], t.positives::bigint[]
     from unnest($4::float8[], $5::text[], $6::text[], $7::text[]) t (day, bins, counts, positives)`,
);

/** As PostgreSQL reads an array. The driver would quote each of some thousand numbers. */
export function arrayText(list: readonly number[]): string {
  return `{${list.join()}}`;
}

/**
 * Leaves the counts of a job beside its predictions, in the transaction that writes them; the refresh adds them to the
 * cells when their run is done. Rows are only added, so that runs which publish together do not wait for each other.
 */
export function writeTally(
  run: { readonly runId: string; readonly attempt: number },
  shard: number,
  { days, bins, counts, positives }: TallyColumns,
): PipelinedStatement {
  const texts = (lists: readonly number[][]): string[] => lists.map(arrayText);
  return write.pipelined(run.runId, run.attempt, shard, days, texts(bins), texts(counts), texts(positives));
}
