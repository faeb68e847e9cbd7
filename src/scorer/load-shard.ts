import { finishShard } from '../runs/finish-shard.ts';
import { transaction } from '../postgres/transaction.ts';
import { together } from '../postgres/pipeline.ts';
import type { Job, Outcome, Shard } from '../runs/job.ts';
import { LostFence } from './lost-fence.ts';
import { rowErrorSteps } from './row-errors.ts';
import type { ScoredStream } from './scored-stream.ts';
import type { Tools } from './tools.ts';
import { writePredictions } from './write-predictions.ts';

/** Publication flushes the log in the end, so a shard's commit need not wait for the disk. */
const BEGIN = 'begin; set local synchronous_commit = off';

/** Copies a shard's predictions into the run's generation and ends the shard, in one transaction under its fence. */
export async function loadShard(job: Job, shard: Shard, scored: ScoredStream, tools: Tools): Promise<Outcome> {
  const client = await tools.writer.client();
  const { run } = job;
  await transaction(
    client,
    async () => {
      await writePredictions(client, run, shard.generation, scored);
      await together(client, [
        ...rowErrorSteps(run, shard.shard, scored.failed),
        ...scored.predictionCount.steps(shard.shard),
      ]);
      const { rowsDone, rowsFailed, cpuSeconds } = scored.counts;
      const done = await finishShard(
        client,
        run.runId,
        run.attempt,
        shard.shard,
        shard.fence,
        rowsDone,
        rowsFailed,
        cpuSeconds,
      );
      if (done.length === 0) throw new LostFence();
    },
    BEGIN,
  );
  return { kind: 'loaded', generation: shard.generation, snapshotAt: null, ...scored.counts };
}
