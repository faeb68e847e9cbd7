import type { DecodedBatch, SegmentIndexes } from '../copy/batch.ts';
import type { Predictions } from '../inference/predictions.ts';
import { errorLimit, LEAST_ERROR_LIMIT } from '../runs/publication-errors.ts';
import type { Job } from '../runs/job.ts';
import { armTallies, type RowSplit } from './arms.ts';
import type { PredictionCount } from './count.ts';
import type { ScorerContext } from './context.ts';
import { featureValues, keyBytes, rowErrorStatements, type FailedRow } from './row-errors.ts';
import type { PipelinedStatement } from '../postgres/pipeline.ts';
import type { Run } from '../runs/run.ts';

/** Rows of a batch, and their predictions. */
export type Scored = {
  /** The arm of the run that scored the rows; 0 is the version of the run itself. */
  readonly arm: number;
  readonly decoded: DecodedBatch;
  readonly predictions: Predictions;
  /** Null for a run without segments. */
  readonly segments: SegmentIndexes | null;
};

/** Most bytes of features that are read ahead: a text may have 16 MB. */
export const MOST_AHEAD = 64 * 1024 * 1024;

/** Most failed rows of a job that are kept with their input: they wait in memory until its predictions are written. */
const MOST_KEPT = 10_000;

/** The counts of an arm in a job: of the run itself, or of a version of an experiment. */
export class CountedArm {
  rowsDone = 0;
  rowsFailed = 0;
  readonly run: Run;
  /** The counts for the monitor. */
  readonly predictionCount: PredictionCount;

  constructor(run: Run, predictionCount: PredictionCount) {
    this.run = run;
    this.predictionCount = predictionCount;
  }

  add({ decoded, predictions, segments }: Scored): void {
    this.rowsDone += predictions.rows;
    this.rowsFailed += predictions.errors.size;
    this.predictionCount.add(decoded, predictions, segments);
  }
}

/** The scored batches of a job, in order, and their counts. Failed rows are kept up to the error limit. */
export class ScoredStream implements AsyncIterable<Scored> {
  readonly failed: FailedRow[] = [];
  readonly arms: readonly CountedArm[];
  rowsDone = 0;
  rowsFailed = 0;
  readonly #job: Job;
  readonly #context: ScorerContext;
  readonly #split: RowSplit | undefined;
  readonly #source: AsyncIterator<readonly Scored[]>;
  /** Batches that were read ahead, each as its parts. */
  readonly #ahead: (readonly Scored[])[] = [];
  #ended = false;
  readonly #cpu = process.cpuUsage();

  constructor(
    job: Job,
    context: ScorerContext,
    source: AsyncIterable<readonly Scored[]>,
    arms: readonly CountedArm[],
    split?: RowSplit,
  ) {
    this.arms = arms;
    this.#split = split;
    this.#job = job;
    this.#context = context;
    this.#source = source[Symbol.asyncIterator]();
  }

  /** CPU time of this process since the job began. */
  get cpuSeconds(): number {
    const { user, system } = process.cpuUsage(this.#cpu);
    return (user + system) / 1e6;
  }

  get counts(): { rowsDone: number; rowsFailed: number; cpuSeconds: number } {
    return { rowsDone: this.rowsDone, rowsFailed: this.rowsFailed, cpuSeconds: this.cpuSeconds };
  }

  /** Statements that are written with the predictions: failed rows, and the counts of each arm for the monitor. */
  statements(shard: number): PipelinedStatement[] {
    return [
      ...rowErrorStatements(this.#job.run, shard, this.failed),
      ...this.arms.flatMap(({ predictionCount }) => predictionCount.statements(shard)),
      ...armTallies(shard, this.arms, this.#split?.rowsWithoutKey ?? 0),
    ];
  }

  /** Whether the source ends with its first batch. Reads as far as it must. */
  async isOneBatch(): Promise<boolean> {
    while (!this.#ended && this.#ahead.length < 2) await this.#pull();
    return this.#ended && this.#ahead.length <= 1;
  }

  /** Reads ahead so many rows, MOST_AHEAD bytes at most, or to the end; resolves with whether it came to the end. */
  async readAhead(rows: number): Promise<boolean> {
    while (!this.#ended && this.rowsDone < rows && this.#bytesAhead() < MOST_AHEAD) await this.#pull();
    return this.#ended;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Scored> {
    for (;;) {
      const next = this.#ahead.shift();
      if (next !== undefined) yield* next;
      else if (this.#ended) return;
      else await this.#pull();
    }
  }

  #bytesAhead(): number {
    return this.#ahead.flat().reduce((sum, { decoded }) => sum + decoded.batch.data.byteLength, 0);
  }

  async #pull(): Promise<void> {
    const next = await this.#source.next();
    if (next.done === true) {
      this.#ended = true;
      return;
    }
    this.#ahead.push(next.value);
    for (const part of next.value) this.#count(part);
  }

  #count(scored: Scored): void {
    this.rowsDone += scored.predictions.rows;
    this.rowsFailed += scored.predictions.errors.size;
    this.arms[scored.arm]?.add(scored);
    const limit = errorLimit(this.#job.run, this.rowsDone);
    for (const [row, error] of scored.predictions.errors) {
      if (this.failed.length >= Math.min(Math.max(limit, LEAST_ERROR_LIMIT), MOST_KEPT)) break;
      this.failed.push({ key: keyBytes(scored.decoded, row), error, input: featureValues(scored.decoded.batch, row) });
    }
    this.#context.onProgress(this.rowsDone, this.rowsFailed);
  }
}
