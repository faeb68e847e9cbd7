import type { ScoreBins } from './score-bins.ts';
import { arrayText } from './tally.ts';
import { statement } from '../postgres/statement.ts';
import type { PipelinedStatement } from '../postgres/pipeline.ts';

/** What a class is counted in: those that gave it a probability, bin by bin, and which of them said it. */
const COUNTS = 2;
/** Counters of all days together, 64 MB: a year of days of 50 classes, twenty of three. Days after these are not counted. */
const MOST_COUNTERS = 16 * 1024 * 1024;

/** How predictions for one day lie by class: an element a class and bin that is not empty, in all arrays. */
type ClassTallyDay = {
  /** Start of the day, in seconds since 1970; null where the source has no event time. */
  readonly day: number | null;
  readonly classes: number[];
  readonly bins: number[];
  readonly counts: number[];
  readonly predicted: number[];
};

/** Counts the predictions of a job of three or more classes by day and by the probability of each class. */
export class ClassTally {
  readonly #bins: ScoreBins;
  readonly #classes: number;
  readonly #mostDays: number;
  readonly #counts = new Map<number | null, Uint32Array>();

  constructor(bins: ScoreBins, classes: number) {
    this.#bins = bins;
    this.#classes = classes;
    this.#mostDays = Math.floor(MOST_COUNTERS / (classes * bins.count * COUNTS));
  }

  /** Counts the predictions of a batch: `probabilities` is [rows, classes], `labels` the class said, -1 where none is. */
  add(days: readonly (number | null)[], labels: Int32Array, probabilities: Float64Array): void {
    const [classes, width] = [this.#classes, this.#bins.count * COUNTS];
    for (const [row, label] of labels.entries()) {
      const counts = label < 0 ? undefined : this.#of(days[row] ?? null);
      if (counts === undefined) continue;
      for (let index = 0; index < classes; index += 1) {
        const slot = index * width + this.#bins.of(probabilities[row * classes + index] ?? 0) * COUNTS;
        counts[slot] = (counts[slot] ?? 0) + 1;
        if (index === label) counts[slot + 1] = (counts[slot + 1] ?? 0) + 1;
      }
    }
  }

  get days(): ClassTallyDay[] {
    return Array.from(this.#counts, ([day, counts]) => {
      const tally: ClassTallyDay = { day, classes: [], bins: [], counts: [], predicted: [] };
      for (let slot = 0; slot < counts.length; slot += COUNTS) {
        const count = counts[slot] ?? 0;
        if (count === 0) continue;
        const cell = slot / COUNTS;
        tally.classes.push(Math.floor(cell / this.#bins.count));
        tally.bins.push(cell % this.#bins.count);
        tally.counts.push(count);
        tally.predicted.push(counts[slot + 1] ?? 0);
      }
      return tally;
    });
  }

  #of(day: number | null): Uint32Array | undefined {
    const known = this.#counts.get(day);
    if (known !== undefined || this.#counts.size >= this.#mostDays) return known;
    const counts = new Uint32Array(this.#classes * this.#bins.count * COUNTS);
    this.#counts.set(day, counts);
    return counts;
  }
}

const write = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    day: number | null,
    classes: string,
    bins: string,
    counts: string,
    predicted: string,
  ]
>(
  'write_class_tally',
  `insert into pgscore_data.class_tally (run_id, attempt, shard, day, classes, bins, counts, predicted)
   values ($1, $2, $3, to_timestamp($4::float8), $5::smallint[], $6::smallint[], $7::bigint[], $8::bigint[])`,
);

/** Leaves the counts by class of a job and day beside its predictions, as `writeTally` does those of scores. */
export function writeClassTally(
  run: { readonly runId: string; readonly attempt: number },
  shard: number,
  tally: ClassTallyDay,
): PipelinedStatement {
  const { day, classes, bins, counts, predicted } = tally;
  const lists = [arrayText(classes), arrayText(bins), arrayText(counts), arrayText(predicted)] as const;
  return write.pipelined(run.runId, run.attempt, shard, day, ...lists);
}
