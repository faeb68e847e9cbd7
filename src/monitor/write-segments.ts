import { statement } from '../db/statement.ts';
import type { Step } from '../db/trip.ts';
import type { SegmentDay } from './segment-tally.ts';

const write = statement<[runId: string, attempt: number, shard: number, days: string]>(
  'write_segment_tally',
  `insert into pgscore_data.segment_tally (run_id, attempt, shard, day, places, names, counts, failed)
   select $1, $2, $3, to_timestamp(d.day), d.places, d.names, d.counts, d.failed
     from jsonb_to_recordset($4::jsonb) as d (day float8, places smallint[], names text[], counts bigint[], failed bigint[])`,
);

/** Leaves the counts of a job by segment beside its predictions, in the transaction that writes them. */
export function writeSegmentTally(
  { runId, attempt }: { readonly runId: string; readonly attempt: number },
  shard: number,
  days: readonly SegmentDay[],
): Step {
  return write.step(runId, attempt, shard, JSON.stringify(days));
}
