import { begin, commit, Step, together } from '../db/trip.ts';
import { beginPublication } from '../runs/begin-publication.ts';
import { tooManyFailed } from '../runs/error-limit.ts';
import { finishRun } from '../runs/finish-run.ts';
import { dropHandle } from '../runs/sweep.ts';
import type { Job, Outcome } from './job.ts';
import { LostFence } from './lost-fence.ts';
import { supersede } from './predictions-table.ts';
import { recordRowErrors } from './row-errors.ts';
import type { ScoredStream } from './scored-stream.ts';
import type { Tools } from './tools.ts';
import { predictionsStep } from './write-predictions.ts';

/** Superseded rows live in generation 0; so do those of a run that is not to be the latest. */
const HISTORY = 0;

/**
 * Publishes a small run in one transaction and two trips: what the current generation held becomes history, the new rows
 * take its place. On an error the transaction is left open and the connection is not to be used again.
 */
export async function publishInPlace(
  job: Job,
  snapshotAt: string,
  scored: ScoredStream,
  tools: Tools,
): Promise<Outcome> {
  const client = await tools.writer.client();
  const { run, worker } = job;
  const problem = tooManyFailed(run, scored.rowsDone, scored.rowsFailed, scored.failed[0]?.error.message);
  if (problem !== undefined) {
    await recordRowErrors(client, run, 0, scored.failed);
    throw problem;
  }
  const fenced = beginPublication.step(run.runId, run.attempt, worker, snapshotAt);
  await together(client, [begin(), fenced]);
  const [mine] = fenced.rows;
  if (mine === undefined) throw new LostFence();
  const generation = mine.latest ? mine.current_generation : HISTORY;
  const replaces = mine.latest && Number(mine.current_rows) > 0;
  await recordRowErrors(client, run, 0, scored.failed);
  const { rowsDone, rowsFailed, cpuSeconds } = scored.counts;
  await together(client, [
    ...(replaces ? [new Step({ text: supersede(run.target, generation) })] : []),
    await predictionsStep(run, generation, scored),
    finishRun.step(run.runId, snapshotAt, mine.latest, generation, rowsDone, rowsFailed, cpuSeconds),
    ...(run.handle.kind === 'view' ? [dropHandle.step(run.handle.handleId)] : []),
    commit(),
  ]);
  return { kind: 'published', rowsDone, rowsFailed, cpuSeconds };
}
