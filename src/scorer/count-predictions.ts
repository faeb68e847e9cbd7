import type { DecodedBatch } from '../copy/decoded-batch.ts';
import type { Step } from '../db/trip.ts';
import type { Predictions } from '../model/predictions.ts';
import type { Signature } from '../model/signature.ts';
import { LocalDays } from '../monitor/local-days.ts';
import { Tally } from '../monitor/tally.ts';
import { writeTally } from '../monitor/write-tally.ts';
import type { Run } from '../runs/run.ts';
import type { Tools } from './tools.ts';

/** infinity and -infinity, which belong to no day. */
const BEYOND = 2 ** 62;

/** Counts the predictions of a job for the monitor. */
export class PredictionCount {
  readonly #run: Run;
  readonly #tally: Tally;

  private constructor(run: Run, tally: Tally) {
    this.#run = run;
    this.#tally = tally;
  }

  static async of(run: Run, { task, threshold = 0.5 }: Signature, tools: Tools): Promise<PredictionCount> {
    const decided = task === 'binary' ? threshold : Number.NaN;
    return new PredictionCount(run, new Tally(await tools.scoreBins(), new LocalDays(run.timeZone), decided));
  }

  add({ eventTime }: DecodedBatch, predictions: Predictions): void {
    const { score, errors, rows } = predictions;
    const kind = this.#run.target.task === 'binary' ? 'probability' : 'value';
    const instant = instantsOf(eventTime);
    for (let row = 0; row < rows; row += 1) {
      this.#tally.add(instant(row), errors.has(row) ? 'failed' : kind, score[row] ?? Number.NaN);
    }
  }

  /** Writes the counts down, in the transaction that writes the predictions. */
  step(shard: number): Step {
    return writeTally(this.#run, shard, this.#tally.columns);
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
    return Math.abs(instant) > BEYOND ? null : instant;
  };
}
