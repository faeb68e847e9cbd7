import type { PipelinedStatement } from '../postgres/pipeline.ts';
import { classBins, MOST_CLASSES, type ScoreBins, unitMargin } from './score-bins.ts';
import { ClassTally, writeClassTally } from './class-tally.ts';
import { Tally, writeTally } from './tally.ts';
import type { Task } from '../inference/signature.ts';

/** What a version decides. */
export type Decision = {
  readonly task: Task;
  /** What a binary classifier calls positive. */
  readonly positiveClass?: string;
  readonly classLabels: readonly string[];
  readonly outputs?: { readonly margins?: unknown };
};

/** What a model said of some rows. */
export type Said = {
  readonly score: Float64Array;
  /** Positions among the class labels; null where there are none. */
  readonly label: Int32Array | null;
  /** [rows, classes]; null where the model gives none. */
  readonly probabilities: Float64Array | null;
  /** The rows that could not be scored. */
  readonly errors: { readonly size: number; has(row: number): boolean };
};

type Day = number | null;

/** Counts predictions by day: their scores and, of three or more classes, the probabilities of each. */
export class PredictionTally {
  readonly #kind: 'probability' | 'value';
  readonly #areMargins: boolean;
  readonly #classCount: number;
  /** Its place among the class labels. */
  readonly #positive: number;
  readonly #scores: Tally;
  readonly #classes: ClassTally | undefined;

  constructor(bins: ScoreBins, { task, positiveClass, classLabels, outputs }: Decision) {
    this.#kind = task === 'binary' ? 'probability' : 'value';
    this.#areMargins = outputs?.margins !== undefined;
    this.#classCount = classLabels.length;
    this.#positive = task === 'binary' ? classLabels.indexOf(positiveClass ?? '') : Number.NaN;
    this.#scores = new Tally(bins);
    const byClass = task === 'multiclass' && classLabels.length <= MOST_CLASSES;
    this.#classes = byClass ? new ClassTally(classBins(bins), classLabels.length) : undefined;
  }

  /** Counts rows from `from` on, as many as there are days: the start of each, in seconds since 1970, or null. */
  add(days: readonly Day[], { score, label, probabilities, errors }: Said, from = 0): void {
    const to = from + days.length;
    for (let row = from; row < to; row += 1) {
      const kind = errors.size > 0 && errors.has(row) ? 'failed' : this.#kind;
      const said = score[row] ?? Number.NaN;
      const counted = this.#areMargins ? unitMargin(said) : said;
      this.#scores.add(days[row - from] ?? null, kind, counted, label?.[row] === this.#positive);
    }
    if (this.#classes === undefined || label === null || probabilities === null) return;
    const classes = this.#classCount;
    this.#classes.add(days, label.subarray(from, to), probabilities.subarray(from * classes, to * classes));
  }

  /** Counts one that could not be made at all. */
  addFailed(day: Day): void {
    this.#scores.add(day, 'failed', Number.NaN);
  }

  /** Writes the counts down, in the transaction that writes the predictions. */
  statements(run: { readonly runId: string; readonly attempt: number }, shard: number): PipelinedStatement[] {
    const byClass = this.#classes?.days.map((day) => writeClassTally(run, shard, day)) ?? [];
    return [writeTally(run, shard, this.#scores.columns), ...byClass];
  }
}
