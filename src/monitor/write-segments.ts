import { statement } from '../postgres/statement.ts';
import type { Step } from '../postgres/pipeline-statement.ts';
import type { SegmentDay } from './segment-tally.ts';

const write = statement<[runId: string, attempt: number, shard: number, days: string]>(
  'write_segment_tally',
  `insert into pgscore_data.segment_tally (run_id, attempt, shard, day, places, names, counts, failed)
   select $1, $2, $3, to_timestamp(d.day), d.places, d.names, d.counts, d.failed
     from jsonb_to_recordset($4::jsonb) as d (day float8, places smallint[], names text[], counts bigint[], failed bigint[])`,
);

/** Counts that one statement writes, so that its text stays within some megabytes. */
const MOST_WRITTEN = 50_000;

/** Leaves the counts of a job by segment beside its predictions, in the transaction that writes them. */
export function writeSegmentTally(
  { runId, attempt }: { readonly runId: string; readonly attempt: number },
  shard: number,
  days: readonly SegmentDay[],
): Step[] {
  const parts: SegmentDay[][] = [];
  let size = MOST_WRITTEN;
  for (const day of days) {
    if (size >= MOST_WRITTEN) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push(day);
    size += day.names.length;
  }
  return parts.map((part) => write.step(runId, attempt, shard, JSON.stringify(part)));
}
