import type { RecordBatch } from 'apache-arrow';
import { hashColumn, RowHasher } from '../copy/row-hash.ts';
import type { DecodedBatch } from '../copy/batch.ts';
import { PgscoreError } from '../errors.ts';
import type { ModelSession } from '../inference/session.ts';
import { type Arm, RowSplit, rowsPerBatch, runsOfArms } from './arms.ts';
import { PredictionCount, RunSegments } from './count.ts';
import { isReadFromNodes } from '../runs/distributed-source.ts';
import type { Job, Outcome, Shard } from '../runs/job.ts';
import { isOfWatch } from '../runs/run.ts';
import { loadSession } from '../models/load-session.ts';
import { loadGeneration, loadShard } from './load.ts';
import { publishInPlace } from './publish-in-place.ts';
import { ShardReading } from './read-shards.ts';
import type { ScorerContext } from './context.ts';
import { inOrder, rangeStatements, readSource, snapshotTime, type Reading } from './read-source.ts';
import { CountedArm, ScoredStream, type Scored, MOST_AHEAD } from './scored-stream.ts';

/** Above this many rows in the current generation a run gets a generation of its own rather than replacing rows in place. */
const IN_PLACE_ROWS = 10_000;

/**
 * Scores one job end to end: read through the handle, decode to Arrow, infer, encode, write, commit under the fence.
 * Reading goes on only as fast as writing does.
 */
export async function scoreJob(job: Job, context: ScorerContext): Promise<Outcome> {
  // A model that cannot be loaded is found before its source is read.
  const arms = await loadArms(job, context);
  if (isReadFromNodes(job)) return scoreShards(job, job.shard, arms, context);
  const reading = await context.reader.open(job);
  const rows = readSource(job, reading, rowsPerBatch(arms, context.batchRows), context);
  const scored = await scoreRows(job, arms, rows, context, () => sampleSource(job, reading, context));
  if (job.shard !== null) return loadShard(job, job.shard, scored, context);
  const inPlace = await readToSeeIfInPlace(job, scored);
  return (inPlace ? publishInPlace : loadGeneration)(job, snapshotTime(reading), scored, context);
}

/** Scores shards of a distributed table, which the nodes of Citus hold. */
async function scoreShards(job: Job, shard: Shard, arms: readonly Arm[], context: ScorerContext): Promise<Outcome> {
  const reading = await ShardReading.of(await context.writer.client(), job, shard);
  const read = reading.batches(context.reader.url, {
    rows: rowsPerBatch(arms, context.batchRows),
    signal: context.signal,
  });
  const scored = await scoreRows(job, arms, inOrder(read, context.onWait), context, () => Promise.resolve([]));
  return loadShard(job, shard, scored, context, reading);
}

/**
 * Scores and counts the rows of a job as the stream is read. `sampleSource` gives rows from all over the source, to
 * make bins of.
 */
export async function scoreRows(
  job: Job,
  arms: readonly Arm[],
  rows: AsyncIterable<DecodedBatch>,
  context: ScorerContext,
  sampleSource: () => Promise<RecordBatch[]>,
): Promise<ScoredStream> {
  const counted: CountedArm[] = [];
  for (const { run, session } of arms)
    counted.push(new CountedArm(run, await PredictionCount.of(run, session.signature, context)));
  const split = RowSplit.of(job.run);
  const segments = await RunSegments.of(job.run, context);
  const hasher = job.run.hashedAs === null ? null : new RowHasher(job.run.hashedAs);
  const scored = new ScoredStream(job, context, infer(rows, { arms, split, segments, hasher }), counted, split);
  for (const { predictionCount } of counted)
    await predictionCount.features.finish(context, { sampleSource, ahead: (most) => scored.readAhead(most) });
  return scored;
}

type Inference = {
  readonly arms: readonly Arm[];
  readonly split: RowSplit | undefined;
  readonly segments: RunSegments | null;
  readonly hasher: RowHasher | null;
};

/** The predictions of each batch: a part for each arm that has rows of it. */
async function* infer(
  batches: AsyncIterable<DecodedBatch>,
  { arms, split, segments, hasher }: Inference,
): AsyncGenerator<readonly Scored[]> {
  for await (const batch of batches) {
    const parts: Scored[] = [];
    for (const { arm, rows } of split?.divide(batch) ?? [{ arm: 0, rows: batch }]) {
      const session = arms[arm]?.session;
      if (session === undefined) throw new PgscoreError('internal', `the run has no arm ${arm}`);
      const predictions = await session.predict(rows.batch, rows.badRows);
      const decoded = hasher === null ? rows : { ...rows, hash: hashColumn(hasher.of(rows), predictions.errors) };
      parts.push({ arm, decoded, predictions, segments: segments?.of(decoded) ?? null });
    }
    if (parts.length > 0) yield parts;
  }
}

/** Whether a run replaces the predictions of the current generation in place. Reads ahead, to count its rows. */
export async function readToSeeIfInPlace(job: Job, scored: ScoredStream): Promise<boolean> {
  const { run } = job;
  return (await scored.isOneBatch()) && (isOfWatch(run) || run.target.currentRows <= IN_PLACE_ROWS);
}

/** Loads the models that score a job, that of its run first. */
export async function loadArms({ run }: Job, context: ScorerContext): Promise<readonly Arm[]> {
  const arms: Arm[] = [];
  for (const armRun of runsOfArms(run)) arms.push({ run: armRun, session: await loadModel(armRun.versionId, context) });
  return arms;
}

function loadModel(versionId: number, context: ScorerContext): Promise<ModelSession> {
  return context.models.get(versionId, async () =>
    loadSession(await context.writer.client(), versionId, context.onWait),
  );
}

const SAMPLES = 16;
const PAGES_EACH = 8;

/**
 * Rows from all over the source of a shard, under the snapshot of its run: if a table is in the order of time, its
 * first rows are unlike the rest. None for a run in one piece, which is read from its beginning anyway, and for
 * distributed tables.
 */
async function sampleSource(job: Job, { client }: Reading, context: ScorerContext): Promise<RecordBatch[]> {
  const { run, shard } = job;
  const batches: RecordBatch[] = [];
  let bytes = 0;
  for (
    let sample = 0;
    shard !== null && run.sourceKind === 'ctid' && sample < SAMPLES && bytes < MOST_AHEAD;
    sample += 1
  ) {
    const from = Math.floor((sample * run.pages) / SAMPLES);
    const part = { ...job, shard: { ...shard, from, to: from + PAGES_EACH } };
    const reading = { client, before: rangeStatements(part), after: [] };
    for await (const { batch } of readSource(part, reading, context.batchRows, context)) {
      if (bytes < MOST_AHEAD) batches.push(batch);
      bytes += batch.data.byteLength;
    }
  }
  return batches;
}
