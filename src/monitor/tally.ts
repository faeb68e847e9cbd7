import type { ScoreBins } from './score-bins.ts';

/** Predictions without a score: those of a regression, and of a classifier that gives labels only. */
export const NO_SCORE = -1;
/** Rows that could not be scored. */
export const FAILED = -2;

const RESERVED = 2;
/** From so many bins a day is counted in an array rather than a map. */
const SPARSE = 200;

/** How many predictions fell on which local day and into which bin, as columns of the same length. */
export type TallyColumns = {
  /** Start of the day, in seconds since 1970; null where the source has no event time, and the run's snapshot is meant. */
  readonly days: (number | null)[];
  readonly bins: number[];
  readonly counts: number[];
};

/**
 * Counts the predictions of a job by day and score while they pass by. Memory goes with the days that the source speaks
 * of, 6 kB for a full one.
 */
export class Tally {
  readonly #bins: ScoreBins;
  readonly #counts = new Map<number | null, Map<number, number> | Uint32Array>();

  constructor(bins: ScoreBins) {
    this.#bins = bins;
  }

  /** Counts one prediction. `score` is NaN where there is none, `day` in seconds since 1970, or null. */
  add(day: number | null, kind: 'probability' | 'value' | 'failed', score: number): void {
    const bin = kind === 'failed' ? FAILED : kind === 'value' || Number.isNaN(score) ? NO_SCORE : this.#bins.of(score);
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
    const columns: TallyColumns = { days: [], bins: [], counts: [] };
    for (const [day, counts] of this.#counts) {
      for (const [bin, count] of entries(counts)) {
        if (count === 0) continue;
        columns.days.push(day);
        columns.bins.push(bin);
        columns.counts.push(count);
      }
    }
    return columns;
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
