import { statement } from '../db/statement.ts';

/** Leaves what a job read on a day beside its predictions, in the transaction that writes them. */
export const writeFeatureTally = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    setId: number,
    day: number | null,
    rows: number,
    features: readonly number[],
    slots: readonly number[],
    counts: readonly number[],
    sums: readonly number[],
  ]
>(
  'write_feature_tally',
  `insert into pgscore_data.feature_tally (run_id, attempt, shard, set_id, day, n, features, slots, counts, sums)
   values ($1, $2, $3, $4, to_timestamp($5::float8), $6, $7, $8, $9, $10)`,
);

/** Leaves the values of a feature in the rows of a small job, whose version has no bins yet. */
export const writeFeatureSample = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    versionId: number,
    feature: number,
    days: readonly (number | null)[],
    numbers: readonly (number | null)[] | null,
    texts: readonly (string | null)[] | null,
  ]
>(
  'write_feature_sample',
  `insert into pgscore_data.feature_sample (run_id, attempt, shard, version_id, feature, days, numbers, texts)
   select $1, $2, $3, $4, $5, array(select to_timestamp(d) from unnest($6::float8[]) with ordinality as x (d, n) order by n), $7, $8`,
);

/** Freezes the bins of a version, if nobody has: `samples` is JSON, an object a feature. */
export const freezeBins = statement<[versionId: number, samples: string]>(
  'freeze_bins',
  'select pgscore_data._freeze_bins($1, $2)',
);
