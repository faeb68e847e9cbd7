import { readBatches } from '../copy/read.ts';
import type { DecodedBatch } from '../copy/decoded-batch.ts';
import { ModelSession } from '../model/session.ts';
import { awaited } from './awaited.ts';
import { PredictionCount } from './count-predictions.ts';
import type { Job, Outcome } from './job.ts';
import { loadVersion } from '../versions/load-version.ts';
import { loadGeneration } from './load-generation.ts';
import { loadShard } from './load-shard.ts';
import { publishInPlace } from './publish-in-place.ts';
import type { Reading } from './reader.ts';
import { sampleSource } from './sample-source.ts';
import { ScoredStream, type Scored } from './scored-stream.ts';
import { sourceColumns } from './source-columns.ts';
import { sourceQuery } from './source-query.ts';
import { FrozenSegments } from './frozen-segments.ts';
import type { Tools } from './tools.ts';

/** Above this many rows in the current generation a run gets a generation of its own rather than replacing rows in place. */
const IN_PLACE_ROWS = 10_000;

/**
 * Scores one job end to end: read through the handle, decode to Arrow, infer, encode, write, commit under the fence.
 * Reading goes on only as fast as writing does.
 */
export async function scoreJob(job: Job, tools: Tools): Promise<Outcome> {
  const session = await loadModel(job, tools);
  const reading = await tools.reader.open(job);
  const counted = await PredictionCount.of(job.run, session.signature, tools);
  const segments = await FrozenSegments.of(job.run, tools);
  const scored = new ScoredStream(job, tools, infer(readSource(job, reading, tools), session, segments), counted);
  await counted.features.settle(tools, {
    allOver: () => sampleSource(job, reading, tools),
    ahead: (rows) => scored.readAhead(rows),
  });
  if (job.shard !== null) return loadShard(job, job.shard, scored, tools);
  const inPlace = await fitsInPlace(job, scored);
  const snapshotAt = reading.snapshotAt?.();
  if (snapshotAt === undefined) throw new Error('a run in one piece has its own snapshot');
  return (inPlace ? publishInPlace : loadGeneration)(job, snapshotAt, scored, tools);
}

function readSource(job: Job, { client, before, after }: Reading, tools: Tools): AsyncIterable<DecodedBatch> {
  const options = { rows: tools.batchRows, signal: tools.signal, before, after };
  return awaited(readBatches(client, sourceQuery(job), sourceColumns(job.run), options), tools.onWait);
}

async function* infer(
  batches: AsyncIterable<DecodedBatch>,
  session: ModelSession,
  segments: FrozenSegments | null,
): AsyncGenerator<Scored> {
  for await (const decoded of batches) {
    const predictions = await session.predict(decoded.batch, decoded.badRows);
    yield { decoded, predictions, segments: segments?.of(decoded) ?? null };
  }
}

async function fitsInPlace(job: Job, scored: ScoredStream): Promise<boolean> {
  return (await scored.isOneBatch()) && job.run.target.currentRows <= IN_PLACE_ROWS;
}

function loadModel(job: Job, tools: Tools): Promise<ModelSession> {
  return tools.models.get(job.run.versionId, async () => {
    const { bytes, signature } = await loadVersion(await tools.writer.client(), job.run.versionId);
    return { session: await ModelSession.load(bytes, signature), size: bytes.length };
  });
}
