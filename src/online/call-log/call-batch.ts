import { randomBytes } from 'node:crypto';
import type { RecordBatch } from 'apache-arrow';
import type { FeatureBins, WatchedFeature } from '../../monitor/feature-bins.ts';
import { valuesOf } from '../../monitor/feature-sample.ts';
import { FeatureTally } from '../../monitor/feature-tally.ts';
import { LocalDays } from '../../monitor/local-days.ts';
import { PredictionTally } from '../../monitor/prediction-tally.ts';
import type { ScoreBins } from '../../monitor/score-bins.ts';
import { writeFeatureSamples, writeFeatureTallies } from '../../monitor/write-features.ts';
import { watchedFeatures } from '../../inference/signature.ts';
import type { PipelinedStatement } from '../../postgres/pipeline.ts';
import { statement } from '../../postgres/statement.ts';
import type { CallFeatures } from './call-features.ts';
import { timeOf } from './event-time.ts';
import type { CountedCall } from './logged-call.ts';
import type { WatchedVersion } from './watched-versions.ts';

const MICROSECONDS = 1e6;
const EPOCH_SECONDS = Date.UTC(2000, 0, 1) / 1000;

const beginBatch = statement<
  [batchId: string, versionId: number, predictions: number, failed: number, lastAsked: number]
>(
  'begin_batch',
  `insert into pgscore_data.online_batch (batch_id, version_id, n_predictions, n_failed, snapshot_at, first_id)
   select $1, $2, $3, $4, to_timestamp($5), s.last_value from pgscore_data.online_prediction_id s`,
);

const endBatch = statement<[batchId: string]>(
  'end_batch',
  `update pgscore_data.online_batch set last_id = currval('pgscore_data.online_prediction_id') where batch_id = $1`,
);

const zones = new Map<string, LocalDays>();

/** Calls of one version that are logged in one transaction: to the monitor they are what the predictions of a run are. */
export class CallBatch {
  readonly version: WatchedVersion;
  readonly #id = drawnId();
  readonly #calls: readonly CountedCall[];
  readonly #features: readonly CallFeatures[];
  readonly #days: LocalDays;

  constructor(version: WatchedVersion, calls: readonly CountedCall[], features: readonly CallFeatures[]) {
    this.version = version;
    this.#calls = calls;
    this.#features = features;
    this.#days = zones.get(version.timeZone) ?? new LocalDays(version.timeZone);
    zones.set(version.timeZone, this.#days);
  }

  /** Before its predictions are written: refused where the very same batch was written before. */
  begin(): PipelinedStatement {
    const failed = this.#calls.filter(({ answered }) => answered === undefined).length;
    const predictions = this.#calls.reduce(
      (sum, { answered }) => sum + (answered?.parts ?? []).reduce((of, { rows }) => of + rows, 0),
      0,
    );
    const last = this.#calls.reduce((latest, { instant }) => Math.max(latest, instant), 0);
    return beginBatch.pipelined(
      this.#id,
      this.version.versionId,
      predictions,
      failed,
      last / MICROSECONDS + EPOCH_SECONDS,
    );
  }

  /** After it: what else there is of the batch, and what is counted of it. `featureBins`: where they are frozen. */
  end(scoreBins: ScoreBins, featureBins: FeatureBins | undefined): PipelinedStatement[] {
    return [endBatch.pipelined(this.#id), ...this.#tally(scoreBins), ...this.#featureStatements(featureBins)];
  }

  #tally(bins: ScoreBins): PipelinedStatement[] {
    const decision = this.#calls.find(({ answered }) => answered !== undefined)?.answered?.signature;
    const tally = new PredictionTally(bins, decision ?? { task: 'regression', classLabels: [] });
    for (const { instant, answered, eventTimes } of this.#calls) {
      if (answered === undefined) tally.addFailed(this.#days.startOf(instant));
      let first = 0;
      for (const { predictions, from, rows } of answered?.parts ?? []) {
        const times = Array.from({ length: rows }, (_, row) => timeOf(instant, eventTimes, first + row));
        tally.add(
          times.map((time) => this.#days.startOf(time)),
          predictions,
          from,
        );
        first += rows;
      }
    }
    return tally.statements({ runId: this.#id, attempt: 0 }, 0);
  }

  /** The features of its rows, where they are watched. */
  get columns(): RecordBatch[] {
    return this.#features.map(({ batch }) => batch);
  }

  get watched(): readonly WatchedFeature[] {
    const signature = this.#calls.find(({ answered }) => answered !== undefined)?.answered?.signature;
    return watchedFeatures(signature?.features ?? []);
  }

  #featureStatements(bins: FeatureBins | undefined): PipelinedStatement[] {
    const run = { runId: this.#id, attempt: 0, versionId: this.version.versionId };
    const rows = this.#features.map(({ batch, times }) => ({
      batch,
      days: times.map((time) => this.#days.startOf(time)),
    }));
    if (rows.length === 0) return [];
    if (bins !== undefined) {
      const tally = new FeatureTally(bins);
      for (const { batch, days } of rows) tally.add(batch, days);
      return writeFeatureTallies(run, 0, bins.setId, tally.days);
    }
    const values = this.watched.map((watched) => valuesOf(watched, this.columns, 1));
    return [
      writeFeatureSamples(
        run,
        0,
        rows.flatMap(({ days }) => days),
        values,
      ),
    ];
  }
}

/** A number that no run has, and no other batch: 62 bits by chance. */
function drawnId(): string {
  return String(-1n - (randomBytes(8).readBigUInt64BE() >> 2n));
}
