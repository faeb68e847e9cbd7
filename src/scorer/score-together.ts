import { Copied } from '../copy/read.ts';
import type { DecodedBatch } from '../copy/batch.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { runPipeline } from '../postgres/pipeline.ts';
import { TARGET_CHANGED } from '../runs/publish.ts';
import type { Job, Outcome } from '../runs/job.ts';
import { publicationOf, publishAsExpected, publishOne, type Publication } from './publish-in-place.ts';
import type { ScorerContext } from './context.ts';
import { type Reading, sourceColumns, sourceQuery } from './read-source.ts';
import { rowsPerBatch } from './arms.ts';
import { readToSeeIfInPlace, loadArms, scoreRows } from './score-job.ts';

/** Most bytes of each source, how long to wait for a lock on it, and how long to read all of them. */
const MOST_BYTES = 1024 * 1024;
const LOCK_TIMEOUT = '100ms';
const MOST_MS = 1000;

type Read = { readonly job: Job; readonly reading: Reading; readonly copied: Copied };

/**
 * Scores small runs of one requester together: a run of few rows spends most of its time on round trips. One pipeline
 * reads all sources, each in a transaction of its own, and one transaction publishes all runs.
 * An outcome is undefined if its run is to be scored alone. If one source cannot be read at once, or this function
 * throws, all runs are scored alone. Nothing was published for these.
 */
export async function scoreTogether(
  jobs: readonly Job[],
  contextOf: (job: Job) => ScorerContext,
): Promise<readonly (Outcome | undefined)[]> {
  const read = await readAll(jobs, contextOf);
  if (read === undefined) return [];
  const publications: Publication[] = [];
  for (const one of read) {
    const publication = one.copied.overflowed ? undefined : await scoreOne(one, contextOf(one.job));
    if (publication === undefined) return [];
    publications.push(publication);
  }
  for (const job of jobs) contextOf(job).signal.throwIfAborted();
  const [first] = jobs;
  if (first === undefined) return [];
  // Targets are locked in one order, so that no two scorers wait for each other.
  const ordered = publications.toSorted((a, b) => a.job.run.target.targetId - b.job.run.target.targetId);
  const published = await publishAll(ordered, contextOf(first));
  return publications.map((publication) => {
    return published.has(publication) ? { kind: 'published', ...publication.counts } : undefined;
  });
}

async function publishAll(
  publications: readonly Publication[],
  context: ScorerContext,
): Promise<ReadonlySet<Publication>> {
  const client = await context.writer.client();
  try {
    await publishAsExpected(client, ...publications);
    return new Set(publications);
  } catch (error) {
    if (sqlState(error) !== TARGET_CHANGED) throw error;
    return publishOneByOne(publications, context);
  }
}

/** Publishes one after the other until one fails. */
async function publishOneByOne(
  publications: readonly Publication[],
  context: ScorerContext,
): Promise<ReadonlySet<Publication>> {
  const published = new Set<Publication>();
  try {
    for (const publication of publications) {
      await publishOne(await context.writer.client(), publication);
      published.add(publication);
    }
  } catch {
    // The run is scored alone next, and reports its error then.
    await context.writer.close();
  }
  return published;
}

/** Undefined if a source raises, waits for a lock or takes long: reading each alone shows which. */
async function readAll(jobs: readonly Job[], contextOf: (job: Job) => ScorerContext): Promise<Read[] | undefined> {
  const contexts = jobs.map(contextOf);
  const giveUp = (): void => {
    for (const { reader } of contexts) void reader.destroy();
  };
  const timer = setTimeout(giveUp, MOST_MS);
  for (const { signal } of contexts) signal.addEventListener('abort', giveUp);
  try {
    return await readInOneTrip(jobs, contextOf);
  } catch {
    giveUp();
    return undefined;
  } finally {
    clearTimeout(timer);
    for (const { signal } of contexts) signal.removeEventListener('abort', giveUp);
  }
}

async function readInOneTrip(jobs: readonly Job[], contextOf: (job: Job) => ScorerContext): Promise<Read[]> {
  const read: Read[] = [];
  for (const job of jobs) {
    const reading = await contextOf(job).reader.open(job, LOCK_TIMEOUT);
    read.push({ job, reading, copied: new Copied(sourceQuery(job), MOST_BYTES) });
  }
  const steps = read.flatMap(({ reading: { before, after }, copied }) => [...before, copied, ...after]);
  const [first] = read;
  if (first !== undefined) await runPipeline(first.reading.client, steps);
  return read;
}

async function scoreOne({ job, reading, copied }: Read, context: ScorerContext): Promise<Publication | undefined> {
  const arms = await loadArms(job, context);
  const rows = inTurn(copied.batches(sourceColumns(job.run), { rows: rowsPerBatch(arms, context.batchRows) }));
  const scored = await scoreRows(job, arms, rows, context, () => Promise.resolve([]));
  const snapshotAt = reading.snapshotAt?.();
  if (snapshotAt === undefined || !(await readToSeeIfInPlace(job, scored)) || scored.rowsFailed > 0) return undefined;
  return publicationOf(job, snapshotAt, scored);
}

async function* inTurn(batches: Iterable<DecodedBatch>): AsyncGenerator<DecodedBatch> {
  yield* batches;
}
