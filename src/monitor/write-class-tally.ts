import { statement } from '../postgres/statement.ts';
import type { Step } from '../postgres/pipeline-statement.ts';
import type { ClassTallyDay } from './class-tally.ts';

const write = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    day: number | null,
    classes: string,
    bins: string,
    counts: string,
    predicted: string,
  ]
>(
  'write_class_tally',
  `insert into pgscore_data.class_tally (run_id, attempt, shard, day, classes, bins, counts, predicted)
   values ($1, $2, $3, to_timestamp($4::float8), $5::smallint[], $6::smallint[], $7::bigint[], $8::bigint[])`,
);

/** Leaves the counts by class of a job and day beside its predictions, as `writeTally` does those of scores. */
export function writeClassTally(
  run: { readonly runId: string; readonly attempt: number },
  shard: number,
  { day, ...lists }: ClassTallyDay,
): Step {
  const [classes, bins, counts, predicted] = [lists.classes, lists.bins, lists.counts, lists.predicted].map(braced);
  return write.step(run.runId, run.attempt, shard, day, classes ?? '', bins ?? '', counts ?? '', predicted ?? '');
}

function braced(list: readonly number[]): string {
  return `{${list.join()}}`;
}
