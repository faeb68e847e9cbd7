import type pg from 'pg';
import { HEADER, TRAILER } from '../copy/format.ts';
import type { Link } from '../db/link.ts';
import { sqlState } from '../db/sqlstate.ts';
import { Step } from '../db/step.ts';
import { together } from '../db/trip.ts';
import { FeatureBinsCache, type FeatureBins } from '../monitor/feature-bins.ts';
import { ScoreBins } from '../monitor/score-bins.ts';
import { batchesOf, type CallBatch } from './call-batch.ts';
import { COLUMNS } from './encode-calls.ts';
import type { KeepCalls } from './record.ts';
import type { WatchedVersions } from './watched-versions.ts';

const COPY = `copy pgscore_data.online_prediction (${COLUMNS}) from stdin (format binary)`;
const UNIQUE_VIOLATION = '23505';

/**
 * Keeps calls in pgscore_data.online_prediction, a row for each prediction, one for a call that failed; and in the same
 * transaction what the monitor counts of them.
 */
export function keepCalls(link: Link, versions: WatchedVersions): KeepCalls {
  const featureBins = new FeatureBinsCache();
  let scoreBins: ScoreBins | undefined;
  const keep = async (client: pg.Client, batches: readonly CallBatch[], tuples: readonly Buffer[]): Promise<void> => {
    const bins = (scoreBins ??= await ScoreBins.load(client));
    const ends: Step[] = [];
    for (const batch of batches) ends.push(...batch.end(bins, await frozen(batch, client)));
    const copy = new Step({ text: COPY }, [HEADER, ...tuples, TRAILER]);
    // A trip is one transaction.
    const steps = [...batches.map((batch) => batch.begin()), copy, ...ends];
    await together(client, steps);
  };
  const frozen = async ({ version }: CallBatch, client: pg.Client): Promise<FeatureBins | undefined> =>
    version.binSet === null ? undefined : featureBins.get(client, version.versionId, version.binSet);
  return ({ tuples, calls, features }) => {
    const batches = batchesOf(calls, features, (versionId) => versions.get(versionId));
    return link.insist((client) => keep(client, batches, tuples)).catch(unlessKept);
  };
}

/** The connection may have been lost after a commit, and before its answer came. */
function unlessKept(error: unknown): void {
  const written = error instanceof Error && 'constraint' in error && error.constraint === 'online_batch_pkey';
  if (!written || sqlState(error) !== UNIQUE_VIOLATION) throw error;
}
