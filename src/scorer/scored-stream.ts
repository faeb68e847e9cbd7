import type { DecodedBatch } from '../copy/decoded-batch.ts';
import type { SegmentPlaces } from '../lib/segment-places.ts';
import type { Predictions } from '../inference/predictions.ts';
import { errorLimit, LEAST_ERROR_LIMIT } from '../runs/error-limit.ts';
import { featureValues } from './feature-values.ts';
import type { Job } from '../runs/job.ts';
import { keyBytes } from './key-bytes.ts';
import type { PredictionCount } from './count-predictions.ts';
import type { FailedRow } from './row-errors.ts';
import type { Tools } from './tools.ts';

/** A batch of rows and what the model said of them. */
export type Scored = {
  readonly decoded: DecodedBatch;
  readonly predictions: Predictions;
  /** Null for a run without segments. */
  readonly segments: SegmentPlaces | null;
};

/** Bytes of features that are read ahead at most: texts may have 16 MB each. */
export const MOST_AHEAD = 64 * 1024 * 1024;

/** Failed rows of a job that are kept with their input: they wait in memory until its predictions are written. */
const MOST_KEPT = 10_000;

/** The scored batches of a job, one after the other, counted; failed rows are kept up to the error limit. */
export class ScoredStream implements AsyncIterable<Scored> {
  readonly failed: FailedRow[] = [];
  /** What the monitor is to know of the predictions that came by. */
  readonly predictionCount: PredictionCount;
  rowsDone = 0;
  rowsFailed = 0;
  readonly #job: Job;
  readonly #tools: Tools;
  readonly #source: AsyncIterator<Scored>;
  readonly #ahead: Scored[] = [];
  #ended = false;
  readonly #cpu = process.cpuUsage();

  constructor(job: Job, tools: Tools, source: AsyncIterable<Scored>, predictionCount: PredictionCount) {
    this.predictionCount = predictionCount;
    this.#job = job;
    this.#tools = tools;
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

  /** Whether the source ends with its first batch. Reads as far as it must to know. */
  async isOneBatch(): Promise<boolean> {
    while (!this.#ended && this.#ahead.length < 2) await this.#pull();
    return this.#ended && this.#ahead.length <= 1;
  }

  /** Reads until so many rows wait, or as much as may wait, or to the end; whether it came to the end. */
  async readAhead(rows: number): Promise<boolean> {
    while (!this.#ended && this.rowsDone < rows && this.#bytesAhead() < MOST_AHEAD) await this.#pull();
    return this.#ended;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Scored> {
    for (;;) {
      const next = this.#ahead.shift();
      if (next !== undefined) yield next;
      else if (this.#ended) return;
      else await this.#pull();
    }
  }

  #bytesAhead(): number {
    return this.#ahead.reduce((sum, { decoded }) => sum + decoded.batch.data.byteLength, 0);
  }

  async #pull(): Promise<void> {
    const next = await this.#source.next();
    if (next.done === true) {
      this.#ended = true;
      return;
    }
    this.#ahead.push(next.value);
    this.#count(next.value);
  }

  #count(scored: Scored): void {
    this.rowsDone += scored.predictions.rows;
    this.rowsFailed += scored.predictions.errors.size;
    this.predictionCount.add(scored.decoded, scored.predictions, scored.segments);
    const limit = errorLimit(this.#job.run, this.rowsDone);
    for (const [row, error] of scored.predictions.errors) {
      if (this.failed.length >= Math.min(Math.max(limit, LEAST_ERROR_LIMIT), MOST_KEPT)) break;
      this.failed.push({ key: keyBytes(scored.decoded, row), error, input: featureValues(scored.decoded.batch, row) });
    }
    this.#tools.onProgress(this.rowsDone, this.rowsFailed);
  }
}
