import { statement } from '../db/statement.ts';

/**
 * Leaves the counts of a job beside its predictions, in the transaction that writes them; the refresh adds them to the
 * cells when their run is done. Rows are only added, so that runs which publish together do not wait for each other.
 */
export const writeTally = statement<
  [runId: string, attempt: number, shard: number, days: (number | null)[], bins: string[], counts: string[]]
>(
  'write_tally',
  `insert into pgscore_data.day_tally (run_id, attempt, shard, day, bins, counts)
   select $1, $2, $3, to_timestamp(t.day), t.bins::smallint[], t.counts::bigint[]
     from unnest($4::float8[], $5::text[], $6::text[]) t (day, bins, counts)`,
);
