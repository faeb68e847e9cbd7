import type { RecordBatch } from 'apache-arrow';
import { readBatches } from '../copy/read.ts';
import type { DecodedBatch } from '../copy/decoded-batch.ts';
import { ModelSession } from '../inference/session.ts';
import { awaited } from './in-order.ts';
import { PredictionCount } from './count-predictions.ts';
import type { Job, Outcome } from '../runs/job.ts';
import { loadVersion } from '../check/load-version.ts';
import { loadGeneration } from './load-generation.ts';
import { loadShard } from './load-shard.ts';
import { publishInPlace } from './publish-in-place.ts';
import type { Reading } from './read-source.ts';
import { sampleSource } from './sample-source.ts';
import { ScoredStream, type Scored } from './scored-stream.ts';
import { sourceColumns } from './source-columns.ts';
import { sourceQuery } from './source-query.ts';
import { FrozenSegments } from './segments.ts';
import type { Tools } from './tools.ts';

/** Above this many rows in the current generation a run gets a generation of its own rather than replacing rows in place. */
const IN_PLACE_ROWS = 10_000;

/**
 * Scores one job end to end: read through the handle, decode to Arrow, infer, encode, write, commit under the fence.
 * Reading goes on only as fast as writing does.
 */
export async function scoreJob(job: Job, tools: Tools): Promise<Outcome> {
  // A model that cannot be loaded is found before its source is read.
  const session = await loadModel(job, tools);
  const reading = await tools.reader.open(job);
  const rows = readSource(job, reading, tools);
  const scored = await scoreRows(job, session, rows, tools, () => sampleSource(job, reading, tools));
  if (job.shard !== null) return loadShard(job, job.shard, scored, tools);
  const inPlace = await fitsInPlace(job, scored);
  const snapshotAt = reading.snapshotAt?.();
  if (snapshotAt === undefined) throw new Error('a run in one piece has its own snapshot');
  return (inPlace ? publishInPlace : loadGeneration)(job, snapshotAt, scored, tools);
}

/** The rows of a job as they are scored and counted. `allOver` gives some rows from all over its source, to make bins of. */
export async function scoreRows(
  job: Job,
  session: ModelSession,
  rows: AsyncIterable<DecodedBatch>,
  tools: Tools,
  allOver: () => Promise<RecordBatch[]>,
): Promise<ScoredStream> {
  const counted = await PredictionCount.of(job.run, session.signature, tools);
  const segments = await FrozenSegments.of(job.run, tools);
  const scored = new ScoredStream(job, tools, infer(rows, session, segments), counted);
  await counted.features.settle(tools, { allOver, ahead: (most) => scored.readAhead(most) });
  return scored;
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

/** Whether what a run says takes the place of the rows that are there, one by one. */
export async function fitsInPlace(job: Job, scored: ScoredStream): Promise<boolean> {
  return (await scored.isOneBatch()) && job.run.target.currentRows <= IN_PLACE_ROWS;
}

export function loadModel(job: Job, tools: Tools): Promise<ModelSession> {
  return tools.models.get(job.run.versionId, async () => {
    const { bytes, signature } = await loadVersion(await tools.writer.client(), job.run.versionId);
    return { session: await ModelSession.load(bytes, signature), size: bytes.length };
  });
}
