import { createGeneration, recordGeneration } from '../runs/publish.ts';
import { problemOfWriting } from '../runs/publication-errors.ts';
import { transaction } from '../postgres/statement.ts';
import { runPipeline } from '../postgres/pipeline.ts';
import type { Job, Outcome, Shard } from '../runs/job.ts';
import type { ScoredStream } from './scored-stream.ts';
import type { ScorerContext } from './context.ts';
import type { ShardReading } from './read-shards.ts';
import { writePredictions } from './write-predictions.ts';
import { finishShard } from '../runs/shards.ts';

/** Copies the predictions of a run in one piece into a generation of its own, which is published afterwards. */
export async function loadGeneration(
  job: Job,
  snapshotAt: string,
  scored: ScoredStream,
  context: ScorerContext,
): Promise<Outcome> {
  const client = await context.writer.client();
  const { run, serviceId } = job;
  const [created] = await createGeneration(client, run.runId, run.attempt).catch((error: unknown) => {
    throw problemOfWriting(error, run);
  });
  if (created === undefined) throw new WorkLost();
  const { generation } = created;
  await transaction(client, async () => {
    await writePredictions(client, run, generation, scored);
    await runPipeline(client, scored.statements(0));
    const { rowsDone, rowsFailed, cpuSeconds } = scored.counts;
    const mine = await recordGeneration(
      client,
      run.runId,
      run.attempt,
      serviceId,
      generation,
      snapshotAt,
      rowsDone,
      rowsFailed,
      cpuSeconds,
    );
    if (mine.length === 0) throw new WorkLost();
  });
  return { kind: 'loaded', generation, snapshotAt, ...scored.counts };
}

/** Publication flushes the log in the end, so a shard's commit need not wait for the disk. */
const BEGIN = 'begin; set local synchronous_commit = off';

/** Copies a shard's predictions into the run's generation and ends the shard, in one transaction under its fence. */
export async function loadShard(
  job: Job,
  shard: Shard,
  scored: ScoredStream,
  context: ScorerContext,
  reading?: ShardReading,
): Promise<Outcome> {
  const client = await context.writer.client();
  const { run } = job;
  await transaction(
    client,
    async () => {
      await writePredictions(client, run, shard.generation, scored);
      await reading?.expectUnmoved(client);
      await runPipeline(client, scored.statements(shard.shard));
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
      if (done.length === 0) throw new WorkLost();
    },
    BEGIN,
  );
  return { kind: 'loaded', generation: shard.generation, snapshotAt: null, ...scored.counts };
}

/** Thrown if another service has the work by now; what this one wrote is rolled back. */
export class WorkLost extends Error {
  constructor() {
    super('another service has this work by now');
    this.name = 'WorkLost';
  }
}
