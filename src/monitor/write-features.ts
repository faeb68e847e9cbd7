import { statement } from '../postgres/statement.ts';
import type { PipelinedStatement } from '../postgres/pipeline.ts';
import type { FeatureValues } from './feature-sample.ts';
import type { DayTally } from './feature-tally.ts';
import { arrayText } from './tally.ts';

const writeFeatureTally = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    setId: number,
    day: number | null,
    features: string,
    slots: string,
    counts: string,
    sums: string,
  ]
>(
  'write_feature_tally',
  `insert into pgscore_data.feature_tally (run_id, attempt, shard, set_id, day, features, slots, counts, sums)
   values ($1, $2, $3, $4, to_timestamp($5::float8), $6, $7, $8, $9)`,
);

/** Leaves what a job read, by day, beside its predictions, in the transaction that writes them. */
export function writeFeatureTallies(
  { runId, attempt }: { readonly runId: string; readonly attempt: number },
  shard: number,
  setId: number,
  tallies: readonly DayTally[],
): PipelinedStatement[] {
  return tallies.map(({ day, features, slots, counts, sums }) =>
    writeFeatureTally.pipelined(
      runId,
      attempt,
      shard,
      setId,
      day,
      arrayText(features),
      arrayText(slots),
      arrayText(counts),
      arrayText(sums),
    ),
  );
}

const writeSamples = statement<
  [runId: string, attempt: number, shard: number, versionId: number, days: readonly (number | null)[], samples: string]
>(
  'write_feature_samples',
  `insert into pgscore_data.feature_sample (run_id, attempt, shard, version_id, feature, days, numbers, texts)
   select $1, $2, $3, $4, s.feature, d.days, s.numbers::float8[], s.texts
     from jsonb_to_recordset($6::jsonb) as s (feature smallint, numbers text, texts text[])
    cross join (select array(select to_timestamp(d) from unnest($5::float8[]) with ordinality as x (d, n) order by n) as days) d`,
);

/** Leaves the features of the rows of a small job, whose version has no bins yet. */
export function writeFeatureSamples(
  { runId, attempt, versionId }: { readonly runId: string; readonly attempt: number; readonly versionId: number },
  shard: number,
  days: readonly (number | null)[],
  values: readonly FeatureValues[],
): PipelinedStatement {
  // Numbers go as the text of an array: JSON has no infinity.
  const samples = values.map(({ feature, numbers, texts }) => ({
    feature,
    numbers: numbers === null ? null : `{${numbers.map((value) => value ?? 'NULL').join()}}`,
    texts,
  }));
  return writeSamples.pipelined(runId, attempt, shard, versionId, days, JSON.stringify(samples));
}
