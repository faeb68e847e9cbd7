import type { PipelinedStatement } from '../postgres/pipeline.ts';
import { statement } from '../postgres/statement.ts';
import { hasArms, type Run } from '../runs/run.ts';

const writeTally = statement<
  [runId: string, attempt: number, shard: number, armRunId: string | null, rowsDone: number, rowsFailed: number]
>(
  'write_arm_tally',
  `insert into pgscore_data.arm_tally (run_id, attempt, shard, arm_run_id, rows_done, rows_failed) values ($1, $2, $3, $4, $5, $6)`,
);

type ArmCount = { readonly run: Run; readonly rowsDone: number; readonly rowsFailed: number };

/** Statements that store how many rows of a job each arm scored, for the transaction that writes its predictions. */
export function armTallies(
  shard: number,
  [own, ...arms]: readonly ArmCount[],
  withoutKey: number,
): PipelinedStatement[] {
  if (own === undefined || !hasArms(own.run)) return [];
  const { runId, attempt } = own.run;
  const scoring = arms.filter(({ rowsDone }) => rowsDone > 0);
  return [
    ...scoring.map(({ run, rowsDone, rowsFailed }) =>
      writeTally.pipelined(runId, attempt, shard, run.runId, rowsDone, rowsFailed),
    ),
    ...(withoutKey > 0 ? [writeTally.pipelined(runId, attempt, shard, null, withoutKey, 0)] : []),
  ];
}
