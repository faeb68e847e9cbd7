import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import type { RecordBatch } from 'apache-arrow';
import { HEADER, TRAILER } from '../../copy/format.ts';
import type { DatabaseConnection } from '../../postgres/connection.ts';
import { sqlState } from '../../postgres/sqlstate.ts';
import { PipelinedStatement, runPipeline } from '../../postgres/pipeline.ts';
import { transaction, statement } from '../../postgres/statement.ts';
import { FeatureBinsCache, type FeatureBins, type WatchedFeature } from '../../monitor/feature-bins.ts';
import { freezeBins, LEAST_ROWS, rowsOf, valuesOf } from '../../monitor/feature-sample.ts';
import { ScoreBins } from '../../monitor/score-bins.ts';
import type { EncodedForKeeping } from './encode.ts';
import { BLOCK_COLUMNS } from './encode-blocks.ts';
import type { KeepCalls } from './recorder.ts';
import type { WatchedVersions, WatchedVersion } from './watched-versions.ts';
import { groupedBy } from '../../lib/grouped-by.ts';
import { FeatureTally } from '../../monitor/feature-tally.ts';
import { LocalDays } from '../../monitor/local-days.ts';
import { PredictionTally } from '../../monitor/prediction-tally.ts';
import { writeFeatureSamples, writeFeatureTallies } from '../../monitor/write-features.ts';
import { watchedFeatures } from '../../inference/signature.ts';
import type { CallFeatures } from './call-features.ts';
import { timeOf } from './event-time.ts';
import type { CountedCall } from './logged-call.ts';

const COPY = `copy pgscore_data.online_block (${BLOCK_COLUMNS}) from stdin (format binary)`;
const UNIQUE_VIOLATION = '23505';

/** Keeps calls in pgscore_data.online_block, and in the same transaction what the monitor counts of them. */
export function keepCalls(connection: DatabaseConnection, versions: WatchedVersions): KeepCalls {
  const featureBins = new FeatureBinsCache();
  let scoreBins: ScoreBins | undefined;
  const keep = async (
    client: pg.Client,
    batches: readonly CallBatch[],
    { blocks, also = [] }: Pick<EncodedForKeeping, 'blocks' | 'also'>,
  ): Promise<void> => {
    const bins = (scoreBins ??= await ScoreBins.load(client));
    const ends: PipelinedStatement[] = [];
    for (const batch of batches) ends.push(...batch.end(bins, await frozen(batch, client)));
    // A pipeline is one transaction.
    const copy = new PipelinedStatement({ text: COPY }, [HEADER, ...blocks, TRAILER]);
    const steps = [...batches.map((batch) => batch.begin()), copy, ...ends, ...also];
    await runPipeline(client, steps);
  };
  /** Bins of a version that has none are frozen by the first rows that are enough: what is kept of them until then takes long to count. */
  const frozen = async (batch: CallBatch, client: pg.Client): Promise<FeatureBins | undefined> => {
    const { versionId, binSet } = batch.version;
    if (binSet === null && rowsOf(batch.columns) < LEAST_ROWS) return undefined;
    const bins = await featureBins.get(client, versionId, binSet);
    if (bins !== undefined || binSet !== null) return bins;
    await freezeAtOnce(client, batch).catch(unlessConnected);
    return featureBins.get(client, versionId, null);
  };
  return (encoded) => {
    const { calls, features } = encoded;
    const batches = batchesOf(calls, features, (versionId) => versions.get(versionId));
    return connection.insist((client) => keep(client, batches, encoded)).catch(unlessKept);
  };
}

/** An open transaction that has begun the same bins is not waited for: it would hold up the calls of all versions. */
function freezeAtOnce(client: pg.Client, { version, watched, columns }: CallBatch): Promise<void> {
  return transaction(client, async () => {
    await client.query("set local lock_timeout = '100ms'");
    await freezeBins(client, version.versionId, watched, columns);
  });
}

/** Without bins the rows are kept to be counted later, by a refresh. */
function unlessConnected(error: unknown): void {
  if (sqlState(error) === undefined) throw error;
}

/** The connection may have been lost after a commit, and before its answer came. */
function unlessKept(error: unknown): void {
  const written = error instanceof Error && 'constraint' in error && error.constraint === 'online_batch_pkey';
  if (!written || sqlState(error) !== UNIQUE_VIOLATION) throw error;
}

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

/** Calls of one version that are kept in one transaction: to the monitor they are what the predictions of a run are. */
class CallBatch {
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

/** Calls by version. Of versions that the database does not know nothing is counted. */
function batchesOf(
  calls: readonly CountedCall[],
  features: readonly CallFeatures[],
  versionOf: (versionId: number) => WatchedVersion | undefined,
): CallBatch[] {
  return [...groupedBy(calls, ({ versionId }) => versionId)].flatMap(([versionId, some]) => {
    const version = versionOf(versionId);
    if (version === undefined) return [];
    return [
      new CallBatch(
        version,
        some,
        features.filter((of) => of.versionId === versionId),
      ),
    ];
  });
}

/** A number that no run has, and no other batch: 62 bits by chance. */
function drawnId(): string {
  return String(-1n - (randomBytes(8).readBigUInt64BE() >> 2n));
}
