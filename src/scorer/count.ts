import type { RecordBatch, Binary, Data } from 'apache-arrow';
import type { DecodedBatch, SegmentIndexes } from '../copy/batch.ts';
import type { PipelinedStatement } from '../postgres/pipeline.ts';
import type { Predictions } from '../inference/predictions.ts';
import { type Signature, watchedFeatures } from '../inference/signature.ts';
import { LocalDays } from '../monitor/local-days.ts';
import { PredictionTally } from '../monitor/prediction-tally.ts';
import { SegmentTally, writeSegmentTally, MISSING, roomForValues, SegmentValues } from '../monitor/segment-tally.ts';
import type { Run } from '../runs/run.ts';
import type { ScorerContext } from './context.ts';
import type { WatchedFeature } from '../monitor/feature-bins.ts';
import { valuesOf, freezeBins, LEAST_ROWS, rowsOf } from '../monitor/feature-sample.ts';
import { FeatureTally } from '../monitor/feature-tally.ts';
import { writeFeatureSamples, writeFeatureTallies } from '../monitor/write-features.ts';
import { statement } from '../postgres/statement.ts';

/** From the year 1 to the end of 9998, in microseconds since 2000, as pgscore_data._moment() has it: the rest belongs to no day. */
const [EARLIEST, LATEST] = [-63_082_281_600_000_000, 252_455_529_600_000_000];

/** Counts the predictions of a job for the monitor, and the features that they were made of. */
export class PredictionCount {
  readonly #run: Run;
  readonly features: FeatureCount;
  readonly #tally: PredictionTally;
  readonly #segments = new SegmentTally();
  readonly #days: LocalDays;

  private constructor(run: Run, tally: PredictionTally, features: FeatureCount) {
    this.#run = run;
    this.#tally = tally;
    this.#days = new LocalDays(run.timeZone);
    this.features = features;
  }

  static async of(run: Run, signature: Signature, context: ScorerContext): Promise<PredictionCount> {
    const tally = new PredictionTally(await context.scoreBins(), signature);
    return new PredictionCount(run, tally, await FeatureCount.of(run, signature, context));
  }

  add({ eventTime, batch }: DecodedBatch, predictions: Predictions, segments: SegmentIndexes | null): void {
    const days = this.#daysOf(eventTime, predictions.rows);
    this.#tally.add(days, predictions);
    this.features.add(batch, days);
    if (segments !== null) this.#segments.add(segments, days, predictions.errors);
  }

  /** The local day of each row, in seconds since 1970; null for that of the snapshot. */
  #daysOf(eventTime: DecodedBatch['eventTime'], rows: number): (number | null)[] {
    const instant = instantsOf(eventTime);
    // Array.from() would take ten times as long.
    const days: (number | null)[] = [];
    for (let row = 0; row < rows; row += 1) {
      const at = instant(row);
      days.push(at === null ? null : this.#days.startOf(at));
    }
    return days;
  }

  /** Statements that store the counts, for the transaction that writes the predictions. A replay is not counted. */
  statements(shard: number): PipelinedStatement[] {
    if (this.#run.replayWindow !== null) return [];
    const segments = writeSegmentTally(this.#run, shard, this.#segments.days);
    return [...this.#tally.statements(this.#run, shard), ...this.features.statements(shard), ...segments];
  }
}

/** NULL, or no column, means the time of the snapshot. */
function instantsOf(column: DecodedBatch['eventTime']): (row: number) => number | null {
  if (column === null) return () => null;
  const { values, valueOffsets } = column;
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  return (row) => {
    const at = valueOffsets[row] ?? 0;
    if ((valueOffsets[row + 1] ?? 0) - at !== 8) return null;
    const instant = view.getInt32(at) * 4_294_967_296 + view.getUint32(at + 4);
    return instant >= EARLIEST && instant < LATEST ? instant : null;
  };
}

/** Most rows, and most values, that a job reads ahead to make bins: they wait in memory. */
const MOST_ROWS = 65_536;
const MOST_READ = 2_000_000;

type ReadRows = { readonly batch: RecordBatch; readonly days: readonly (number | null)[] };

/** Where the rows come from that bins are made of. */
type Sources = {
  /** Rows from all over the source; none if only the first rows can be had. */
  readonly sampleSource: () => Promise<RecordBatch[]>;
  /** Reads so many rows of the job ahead, or fewer large ones. Resolves with whether those were all. */
  readonly ahead: (rows: number) => Promise<boolean>;
};

/** Counts the features of a job in the bins of its version. If there are none, it makes them. */
class FeatureCount {
  readonly #run: Run;
  readonly #watched: readonly WatchedFeature[];
  #tally: FeatureTally | undefined;
  #setId = 0;
  /** Rows that were read before there were bins. */
  #read: ReadRows[] = [];

  private constructor(run: Run, watched: readonly WatchedFeature[]) {
    this.#run = run;
    this.#watched = watched;
  }

  static async of(run: Run, signature: Signature, context: ScorerContext): Promise<FeatureCount> {
    const count = new FeatureCount(run, run.featuresWatched ? watchedFeatures(signature.features) : []);
    if (count.#watched.length > 0) await count.#useBins(context);
    return count;
  }

  add(batch: RecordBatch, days: readonly (number | null)[]): void {
    if (this.#tally !== undefined) this.#tally.add(batch, days);
    else if (this.#watched.length > 0) this.#read.push({ batch, days });
  }

  /** Makes bins before the writing begins, if there are enough rows. */
  async finish(context: ScorerContext, { sampleSource, ahead }: Sources): Promise<void> {
    if (this.#tally !== undefined || this.#watched.length === 0) return;
    const sample = await sampleSource();
    if (rowsOf(sample) >= LEAST_ROWS) return this.#freeze(sample, context);
    const areAll = await ahead(Math.max(LEAST_ROWS, Math.min(MOST_ROWS, Math.floor(MOST_READ / this.#watched.length))));
    const read = this.#read.map(({ batch }) => batch);
    if (rowsOf(read) >= LEAST_ROWS || !areAll) await this.#freeze(read, context);
  }

  /** Statements that store the counts, for the transaction that writes the predictions. */
  statements(shard: number): PipelinedStatement[] {
    if (this.#tally !== undefined) return writeFeatureTallies(this.#run, shard, this.#setId, this.#tally.days);
    const days = this.#read.flatMap((read) => read.days);
    if (days.length === 0) return [];
    const batches = this.#read.map(({ batch }) => batch);
    const values = this.#watched.map((watched) => valuesOf(watched, batches, 1));
    return [writeFeatureSamples(this.#run, shard, days, values)];
  }

  async #freeze(batches: readonly RecordBatch[], context: ScorerContext): Promise<void> {
    await freezeBins(await context.writer.client(), this.#run.versionId, this.#watched, batches);
    await this.#useBins(context);
  }

  async #useBins(context: ScorerContext): Promise<void> {
    const bins = await context.featureBins.get(await context.writer.client(), this.#run.versionId, this.#run.binSet);
    if (bins === undefined) return;
    this.#setId = bins.setId;
    this.#tally = new FeatureTally(bins);
    for (const { batch, days } of this.#read) this.#tally.add(batch, days);
    this.#read = [];
  }
}

const knownSegments = statement<[versionId: number], { column_name: string; value: string }>(
  'known_segments',
  `select s.column_name, s.value from pgscore_data.version v join pgscore_data.segment s using (model_id)
    where v.version_id = $1 and s.value not in (':missing', ':other')`,
);

/** Finds the segment values of the rows of a job, which are stored with their predictions. */
export class RunSegments {
  readonly #columns: readonly { readonly at: number; readonly values: SegmentValues }[];

  private constructor(run: Run, known: ReadonlyMap<string, string[]>) {
    const read = run.columns.filter(({ role }) => role === 'segment').map(({ segment }) => segment);
    this.#columns = run.segments.map((name) => {
      const named = known.get(name) ?? [];
      const values = new SegmentValues(named, roomForValues(named.length, run.segments.length));
      return { at: read.indexOf(name), values };
    });
  }

  /** Null for a run without segments. */
  static async of(run: Run, context: ScorerContext): Promise<RunSegments | null> {
    if (run.segments.length === 0) return null;
    const known = new Map<string, string[]>();
    for (const { column_name, value } of await knownSegments(await context.writer.client(), run.versionId))
      known.set(column_name, [...(known.get(column_name) ?? []), value]);
    return new RunSegments(run, known);
  }

  of({ rows, segments }: DecodedBatch): SegmentIndexes {
    return {
      indexes: this.#columns.map(({ at, values }) => indexesOf(segments[at], values, rows)),
      values: this.#columns.map(({ values }) => values.names),
      firstUnnamed: this.#columns.map(({ values }) => values.firstUnnamed),
    };
  }
}

/** If the source lacks the column, or it may not be read, each row has the value missing. */
function indexesOf(column: Data<Binary> | undefined, values: SegmentValues, rows: number): Uint32Array {
  const indexes = new Uint32Array(rows).fill(MISSING);
  if (column === undefined) return indexes;
  const { values: source, valueOffsets } = column;
  for (let row = 0; row < rows; row += 1) {
    if (column.nullCount > 0 && !column.getValid(row)) continue;
    indexes[row] = values.indexOf(source, valueOffsets[row] ?? 0, valueOffsets[row + 1] ?? 0);
  }
  return indexes;
}
