import { createGeneration } from '../runs/generation.ts';
import { recordGeneration } from '../runs/record-generation.ts';
import { transaction } from '../postgres/transaction.ts';
import { together } from '../postgres/pipeline.ts';
import type { Job, Outcome } from '../runs/job.ts';
import { LostFence } from './lost-fence.ts';
import { rowErrorSteps } from './row-errors.ts';
import type { ScoredStream } from './scored-stream.ts';
import type { Tools } from './tools.ts';
import { writePredictions } from './write-predictions.ts';

/** Copies the predictions of a run in one piece into a generation of its own, which is to be published afterwards. */
export async function loadGeneration(
  job: Job,
  snapshotAt: string,
  scored: ScoredStream,
  tools: Tools,
): Promise<Outcome> {
  const client = await tools.writer.client();
  const { run, worker } = job;
  const [created] = await createGeneration(client, run.runId, run.attempt);
  if (created === undefined) throw new LostFence();
  const { generation } = created;
  await transaction(client, async () => {
    await writePredictions(client, run, generation, scored);
    await together(client, [...rowErrorSteps(run, 0, scored.failed), ...scored.predictionCount.steps(0)]);
    const { rowsDone, rowsFailed, cpuSeconds } = scored.counts;
    const mine = await recordGeneration(
      client,
      run.runId,
      run.attempt,
      worker,
      generation,
      snapshotAt,
      rowsDone,
      rowsFailed,
      cpuSeconds,
    );
    if (mine.length === 0) throw new LostFence();
  });
  return { kind: 'loaded', generation, snapshotAt, ...scored.counts };
}
