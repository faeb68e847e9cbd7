import type { DecodedBatch } from '../copy/decoded-batch.ts';
import type { SegmentPlaces } from '../lib/segment-places.ts';
import type { Step } from '../postgres/pipeline-statement.ts';
import type { Predictions } from '../inference/predictions.ts';
import type { Signature } from '../inference/signature.ts';
import { LocalDays } from '../monitor/local-days.ts';
import { PredictionTally } from '../monitor/prediction-tally.ts';
import { SegmentTally } from '../monitor/segment-tally.ts';
import { writeSegmentTally } from '../monitor/write-segments.ts';
import type { Run } from '../runs/run.ts';
import { FeatureCount } from './count-features.ts';
import type { Tools } from './tools.ts';

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

  static async of(run: Run, signature: Signature, tools: Tools): Promise<PredictionCount> {
    const tally = new PredictionTally(await tools.scoreBins(), signature);
    return new PredictionCount(run, tally, await FeatureCount.of(run, signature, tools));
  }

  add({ eventTime, batch }: DecodedBatch, predictions: Predictions, segments: SegmentPlaces | null): void {
    const instant = instantsOf(eventTime);
    const days = Array.from({ length: predictions.rows }, (_, row) => {
      const at = instant(row);
      return at === null ? null : this.#days.startOf(at);
    });
    this.#tally.add(days, predictions);
    this.features.add(batch, days);
    if (segments !== null) this.#segments.add(segments, days, predictions.errors);
  }

  /** Writes the counts down, in the transaction that writes the predictions. */
  steps(shard: number): Step[] {
    const segments = writeSegmentTally(this.#run, shard, this.#segments.days);
    return [...this.#tally.steps(this.#run, shard), ...this.features.steps(shard), ...segments];
  }
}

/** Reads event times as they came over the wire: microseconds since 2000 in eight bytes. NULL, and no column, is the snapshot. */
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
