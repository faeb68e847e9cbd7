import type pg from 'pg';
import { HEADER, TRAILER } from '../../copy/format.ts';
import type { DatabaseConnection } from '../../postgres/connection.ts';
import { sqlState } from '../../postgres/sqlstate.ts';
import { PipelinedStatement, runPipeline } from '../../postgres/pipeline.ts';
import { transaction } from '../../postgres/statement.ts';
import { FeatureBinsCache, type FeatureBins } from '../../monitor/feature-bins.ts';
import { freezeBins, LEAST_ROWS, rowsOf } from '../../monitor/feature-sample.ts';
import { ScoreBins } from '../../monitor/score-bins.ts';
import type { LogBatch } from './encode.ts';
import { BLOCK_COLUMNS } from './encode-blocks.ts';
import type { WriteCalls } from './recorder.ts';
import type { WatchedVersion, WatchedVersions } from './watched-versions.ts';
import { groupedBy } from '../../lib/grouped-by.ts';
import { CallBatch } from './call-batch.ts';
import type { CallFeatures } from './call-features.ts';
import type { CountedCall } from './logged-call.ts';

const COPY = `copy pgscore_data.online_block (${BLOCK_COLUMNS}) from stdin (format binary)`;
const UNIQUE_VIOLATION = '23505';

/** Writes calls to pgscore_data.online_block, and in the same transaction what the monitor counts of them. */
export function writeCalls(connection: DatabaseConnection, versions: WatchedVersions): WriteCalls {
  const featureBins = new FeatureBinsCache();
  let scoreBins: ScoreBins | undefined;
  const write = async (
    client: pg.Client,
    batches: readonly CallBatch[],
    { blocks, also = [] }: Pick<LogBatch, 'blocks' | 'also'>,
  ): Promise<void> => {
    const bins = (scoreBins ??= await ScoreBins.load(client));
    const ends: PipelinedStatement[] = [];
    for (const batch of batches) ends.push(...batch.end(bins, await frozen(batch, client)));
    // A pipeline is one transaction.
    const copy = new PipelinedStatement({ text: COPY }, [HEADER, ...blocks, TRAILER]);
    const steps = [...batches.map((batch) => batch.begin()), copy, ...ends, ...also];
    await runPipeline(client, steps);
  };
  /** Bins of a version that has none are frozen by the first rows that are enough: what is stored of them until then takes long to count. */
  const frozen = async (batch: CallBatch, client: pg.Client): Promise<FeatureBins | undefined> => {
    const { versionId, binSet } = batch.version;
    if (binSet === null && rowsOf(batch.columns) < LEAST_ROWS) return undefined;
    const bins = await featureBins.get(client, versionId, binSet);
    if (bins !== undefined || binSet !== null) return bins;
    await freezeUnlessLocked(client, batch).catch(unlessConnected);
    return featureBins.get(client, versionId, null);
  };
  return (encoded) => {
    const { calls, features } = encoded;
    const batches = batchesOf(calls, features, (versionId) => versions.get(versionId));
    return connection.insist((client) => write(client, batches, encoded)).catch(unlessWritten);
  };
}

/** An open transaction that has begun the same bins is not waited for: it would hold up the calls of all versions. */
function freezeUnlessLocked(client: pg.Client, { version, watched, columns }: CallBatch): Promise<void> {
  return transaction(client, async () => {
    await client.query("set local lock_timeout = '100ms'");
    await freezeBins(client, version.versionId, watched, columns);
  });
}

/** Without bins the rows are stored to be counted later, by a refresh. */
function unlessConnected(error: unknown): void {
  if (sqlState(error) === undefined) throw error;
}

/** The connection may have been lost after a commit, and before its answer came. */
function unlessWritten(error: unknown): void {
  const written = error instanceof Error && 'constraint' in error && error.constraint === 'online_batch_pkey';
  if (!written || sqlState(error) !== UNIQUE_VIOLATION) throw error;
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
