import type { LocalDays } from './local-days.ts';
import type { ScoreBins } from './score-bins.ts';

/** Predictions without a score: those of a regression, and of a classifier that gives labels only. */
export const NO_SCORE = -1;
/** Rows that could not be scored. */
export const FAILED = -2;

const RESERVED = 2;
/** From so many bins a day is counted in an array rather than a map. */
const SPARSE = 200;

/** How many predictions fell on which local day and into which bins: an element a day, in it one a bin that is not empty. */
export type TallyColumns = {
  /** Start of the day, in seconds since 1970; null where the source has no event time, and the run's snapshot is meant. */
  readonly days: (number | null)[];
  readonly bins: number[][];
  readonly counts: number[][];
  /** How many of them were called positive. */
  readonly positives: number[][];
};

/**
 * Counts the predictions of a job by day and score while they pass by. Memory goes with the days that the source speaks
 * of, 6 kB for a full one.
 */
export class Tally {
  readonly #bins: ScoreBins;
  readonly #days: LocalDays;
  readonly #threshold: number;
  /** Called positive, of those in the bin that the threshold lies in. */
  readonly #mixed = new Map<number | null, number>();
  readonly #mixedBin: number;
  readonly #counts = new Map<number | null, Map<number, number> | Uint32Array>();

  /** `threshold` is the probability from which positive is called; NaN where nothing is. */
  constructor(bins: ScoreBins, days: LocalDays, threshold: number) {
    this.#bins = bins;
    this.#days = days;
    this.#threshold = threshold;
    this.#mixedBin = Number.isNaN(threshold) ? Number.POSITIVE_INFINITY : bins.of(threshold);
  }

  /** Counts one prediction. `score` is NaN where there is none, `instant` in microseconds since 2000, or null. */
  add(instant: number | null, kind: 'probability' | 'value' | 'failed', score: number): void {
    const day = instant === null ? null : this.#days.startOf(instant);
    const bin = this.#binOf(kind, score);
    if (bin === this.#mixedBin && score >= this.#threshold) this.#mixed.set(day, (this.#mixed.get(day) ?? 0) + 1);
    const counts = this.#counts.get(day);
    if (counts instanceof Uint32Array) {
      counts[bin + RESERVED] = (counts[bin + RESERVED] ?? 0) + 1;
      return;
    }
    if (counts === undefined) {
      this.#counts.set(day, new Map([[bin, 1]]));
      return;
    }
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
    if (counts.size > SPARSE) this.#counts.set(day, this.#filled(counts));
  }

  get columns(): TallyColumns {
    const columns: TallyColumns = { days: [], bins: [], counts: [], positives: [] };
    for (const [day, counts] of this.#counts) {
      const counted = [...entries(counts)].filter(([, count]) => count > 0);
      columns.days.push(day);
      columns.bins.push(counted.map(([bin]) => bin));
      columns.counts.push(counted.map(([, count]) => count));
      columns.positives.push(counted.map(([bin, count]) => this.#positivesOf(day, bin, count)));
    }
    return columns;
  }

  #positivesOf(day: number | null, bin: number, count: number): number {
    if (bin === this.#mixedBin) return this.#mixed.get(day) ?? 0;
    return bin > this.#mixedBin ? count : 0;
  }

  #binOf(kind: 'probability' | 'value' | 'failed', score: number): number {
    if (kind === 'failed') return FAILED;
    return kind === 'value' || Number.isNaN(score) ? NO_SCORE : this.#bins.of(score);
  }

  #filled(counts: Map<number, number>): Uint32Array {
    const filled = new Uint32Array(this.#bins.count + RESERVED);
    for (const [bin, count] of counts) filled[bin + RESERVED] = count;
    return filled;
  }
}

function* entries(counts: Map<number, number> | Uint32Array): Generator<readonly [bin: number, count: number]> {
  if (counts instanceof Map) yield* counts;
  else for (const [index, count] of counts.entries()) yield [index - RESERVED, count];
}
