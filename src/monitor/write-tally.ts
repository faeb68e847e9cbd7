import { statement } from '../postgres/statement.ts';
import type { Step } from '../postgres/pipeline-statement.ts';
import type { TallyColumns } from './tally.ts';

const write = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    days: (number | null)[],
    bins: string[],
    counts: string[],
    positives: string[],
  ]
>(
  'write_tally',
  `insert into pgscore_data.day_tally (run_id, attempt, shard, day, bins, counts, positives)
   select $1, $2, $3, to_timestamp(t.day), t.bins::smallint[], t.counts::bigint[], t.positives::bigint[]
     from unnest($4::float8[], $5::text[], $6::text[], $7::text[]) t (day, bins, counts, positives)`,
);

/**
 * Leaves the counts of a job beside its predictions, in the transaction that writes them; the refresh adds them to the
 * cells when their run is done. Rows are only added, so that runs which publish together do not wait for each other.
 */
export function writeTally(
  run: { readonly runId: string; readonly attempt: number },
  shard: number,
  { days, bins, counts, positives }: TallyColumns,
): Step {
  const [b, c, p] = [bins, counts, positives].map((lists) => lists.map((list) => `{${list.join()}}`));
  return write.step(run.runId, run.attempt, shard, days, b ?? [], c ?? [], p ?? []);
}
