import { statement } from '../db/statement.ts';

/**
 * Leaves the counts of a job beside its predictions, in the transaction that writes them; the refresh adds them to the
 * cells when their run is done. Rows are only added, so that runs which publish together do not wait for each other.
 */
export const writeTally = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    days: (number | null)[],
    bins: number[],
    counts: number[],
    positives: number[],
  ]
>(
  'write_tally',
  `insert into pgscore_data.run_tally (run_id, attempt, shard, day, bin, n, n_positive)
   select $1, $2, $3, to_timestamp(t.day), t.bin, t.n, t.n_positive from unnest($4::float8[], $5::smallint[], $6::bigint[], $7::bigint[]) t (day, bin, n, n_positive)`,
);
