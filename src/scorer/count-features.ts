import type { RecordBatch } from 'apache-arrow';
import type { Step } from '../postgres/pipeline-statement.ts';
import type { Signature } from '../inference/signature.ts';
import { watchedFeatures } from '../inference/watched-features.ts';
import type { WatchedFeature } from '../monitor/feature-bins.ts';
import { valuesOf } from '../monitor/feature-sample.ts';
import { FeatureTally } from '../monitor/feature-tally.ts';
import { freezeBins, LEAST_ROWS, rowsOf } from '../monitor/freeze-bins.ts';
import { writeFeatureSamples, writeFeatureTallies } from '../monitor/write-features.ts';
import type { Run } from '../runs/run.ts';
import type { Tools } from './tools.ts';

/** Rows that a job looks at first where there are no bins, and the values in them: what is read ahead waits in memory. */
const MOST_ROWS = 65_536;
const MOST_READ = 2_000_000;

type ReadRows = { readonly batch: RecordBatch; readonly days: readonly (number | null)[] };

/** Where rows come from that bins can be made of. */
export type Sources = {
  /** Some from all over the source; none where there is no choice. */
  readonly allOver: () => Promise<RecordBatch[]>;
  /** Has so many of the job's own come by, or fewer of great size; whether those were all. */
  readonly ahead: (rows: number) => Promise<boolean>;
};

/** Counts where the features of a job lie, for the monitor: in the bins of its version, which it freezes where it is the first. */
export class FeatureCount {
  readonly #run: Run;
  readonly #watched: readonly WatchedFeature[];
  #tally: FeatureTally | undefined;
  #setId = 0;
  /** What was read before there were bins. */
  #read: ReadRows[] = [];

  private constructor(run: Run, watched: readonly WatchedFeature[]) {
    this.#run = run;
    this.#watched = watched;
  }

  static async of(run: Run, signature: Signature, tools: Tools): Promise<FeatureCount> {
    const count = new FeatureCount(run, run.featuresWatched ? watchedFeatures(signature.features) : []);
    if (count.#watched.length > 0) await count.#useBins(tools);
    return count;
  }

  add(batch: RecordBatch, days: readonly (number | null)[]): void {
    if (this.#tally !== undefined) this.#tally.add(batch, days);
    else if (this.#watched.length > 0) this.#read.push({ batch, days });
  }

  /** Sees to it that there are bins before the writing begins, if there are rows enough. */
  async settle(tools: Tools, { allOver, ahead }: Sources): Promise<void> {
    if (this.#tally !== undefined || this.#watched.length === 0) return;
    const sample = await allOver();
    if (rowsOf(sample) >= LEAST_ROWS) return this.#freeze(sample, tools);
    const areAll = await ahead(Math.max(LEAST_ROWS, Math.min(MOST_ROWS, Math.floor(MOST_READ / this.#watched.length))));
    const read = this.#read.map(({ batch }) => batch);
    if (rowsOf(read) >= LEAST_ROWS || !areAll) await this.#freeze(read, tools);
  }

  /** Writes the counts down, in the transaction that writes the predictions. */
  steps(shard: number): Step[] {
    if (this.#tally !== undefined) return writeFeatureTallies(this.#run, shard, this.#setId, this.#tally.days);
    const days = this.#read.flatMap((read) => read.days);
    if (days.length === 0) return [];
    const batches = this.#read.map(({ batch }) => batch);
    const values = this.#watched.map((watched) => valuesOf(watched, batches, 1));
    return [writeFeatureSamples(this.#run, shard, days, values)];
  }

  async #freeze(batches: readonly RecordBatch[], tools: Tools): Promise<void> {
    await freezeBins(await tools.writer.client(), this.#run.versionId, this.#watched, batches);
    await this.#useBins(tools);
  }

  async #useBins(tools: Tools): Promise<void> {
    const bins = await tools.featureBins.get(await tools.writer.client(), this.#run.versionId, this.#run.binSet);
    if (bins === undefined) return;
    this.#setId = bins.setId;
    this.#tally = new FeatureTally(bins);
    for (const { batch, days } of this.#read) this.#tally.add(batch, days);
    this.#read = [];
  }
}
