import type { RecordBatch } from 'apache-arrow';
import { statement, type Queryable } from '../postgres/statement.ts';
import type { WatchedFeature } from './feature-bins.ts';
import { valuesOf } from './feature-sample.ts';

/** Bins are made of so many rows; fewer are kept until there are as many together. */
export const LEAST_ROWS = 1000;
/** Values of a feature that bins are made of, and of all features. */
const MOST_SAMPLED = 10_000;
const MOST_SENT = 1_000_000;

const freeze = statement<[versionId: number, samples: string]>(
  'freeze_bins',
  'select pgscore_data._freeze_bins($1, $2)',
);

/** Freezes the bins of a version, if nobody has, by the values of its features in rows that were scored. */
export async function freezeBins(
  client: Queryable,
  versionId: number,
  watched: readonly WatchedFeature[],
  batches: readonly RecordBatch[],
): Promise<void> {
  const most = Math.max(LEAST_ROWS, Math.min(MOST_SAMPLED, Math.floor(MOST_SENT / watched.length)));
  const step = Math.ceil(rowsOf(batches) / most);
  const samples = watched.map((feature) => valuesOf(feature, batches, step));
  await freeze(client, versionId, JSON.stringify(samples));
}

export function rowsOf(batches: readonly RecordBatch[]): number {
  return batches.reduce((sum, { numRows }) => sum + numRows, 0);
}
