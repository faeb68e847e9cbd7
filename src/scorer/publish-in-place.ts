import type pg from 'pg';
import { transaction } from '../db/transaction.ts';
import { beginPublication } from '../runs/begin-publication.ts';
import { tooManyFailed } from '../runs/error-limit.ts';
import { finishRun } from '../runs/finish-run.ts';
import type { Run } from '../runs/run.ts';
import { dropHandle } from '../runs/sweep.ts';
import type { Job, Outcome } from './job.ts';
import { LostFence } from './lost-fence.ts';
import { supersede } from './predictions-table.ts';
import { recordRowErrors } from './row-errors.ts';
import type { ScoredStream } from './scored-stream.ts';
import type { Tools } from './tools.ts';
import { writePredictions } from './write-predictions.ts';

/** Superseded rows live in generation 0; so do those of a run that is not to be the latest. */
const HISTORY = 0;

/** What is left takes milliseconds: a scorer that is stopped here must not keep the run and its target from others. */
const SOON = "set local statement_timeout = '15s'";

/** Publishes a small run in one transaction: what the current generation held becomes history, the new rows take its place. */
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
  await transaction(client, async () => {
    const [mine] = await beginPublication(client, run.runId, run.attempt, worker, snapshotAt);
    if (mine === undefined) throw new LostFence();
    const generation = mine.latest ? mine.current_generation : HISTORY;
    if (mine.latest && Number(mine.current_rows) > 0) await supersedeCurrent(client, run, mine.current_generation);
    await client.query(SOON);
    await writePredictions(client, run, generation, scored);
    await recordRowErrors(client, run, 0, scored.failed);
    await finishRun(client, run.runId, mine.latest, generation, scored.rowsDone, scored.rowsFailed, scored.cpuSeconds);
    if (run.handle.kind === 'view') await dropHandle(client, run.handle.handleId);
  });
  return { kind: 'published', ...scored.counts };
}

async function supersedeCurrent(client: pg.Client, run: Run, generation: number): Promise<void> {
  const text = supersede(run.target, generation);
  await client.query(text);
}
