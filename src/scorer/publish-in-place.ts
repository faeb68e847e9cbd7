import type pg from 'pg';
import { sqlState } from '../db/sqlstate.ts';
import { begin, commit, type Step } from '../db/step.ts';
import { together } from '../db/trip.ts';
import { beginPublication, RUN_LOST, TARGET_CHANGED } from '../runs/begin-publication.ts';
import { tooManyFailed } from '../runs/error-limit.ts';
import { finishRun } from '../runs/finish-run.ts';
import { keyTooLong } from '../runs/key-too-long.ts';
import { dropHandle } from '../runs/sweep.ts';
import type { Job, Outcome } from './job.ts';
import { LostFence } from './lost-fence.ts';
import { supersede } from './predictions-table.ts';
import { rowErrorSteps } from './row-errors.ts';
import type { Scored, ScoredStream } from './scored-stream.ts';
import type { Tools } from './tools.ts';
import { predictionsStep } from './write-predictions.ts';

/** Superseded rows live in generation 0; so do those of a run that is not to be the latest. */
const HISTORY = 0;

/** A small run that is scored, to be published. */
type Publication = {
  readonly job: Job;
  readonly snapshotAt: string;
  readonly batches: readonly Scored[];
  /** What else is written with the predictions: the rows that failed, and counts for the monitor. */
  readonly beside: () => Step[];
  readonly counts: ScoredStream['counts'];
};

/** Where predictions go: whether they become the latest ones, and the generation that holds those. */
type Place = { readonly latest: boolean; readonly generation: number };

/** Publishes a small run in one transaction: what the current generation held becomes history, the new rows take its place. */
export async function publishInPlace(
  job: Job,
  snapshotAt: string,
  scored: ScoredStream,
  tools: Tools,
): Promise<Outcome> {
  const client = await tools.writer.client();
  const rowErrors = (): Step[] => rowErrorSteps(job.run, 0, scored.failed);
  const beside = (): Step[] => [...rowErrors(), ...scored.predictionCount.steps(0)];
  const problem = tooManyFailed(job.run, scored.rowsDone, scored.rowsFailed, scored.failed[0]?.error.message);
  if (problem !== undefined) {
    await together(client, rowErrors());
    throw problem;
  }
  const batches: Scored[] = [];
  for await (const batch of scored) batches.push(batch);
  const { counts } = scored;
  await publish(client, { job, snapshotAt, batches, beside, counts });
  return { kind: 'published', ...counts };
}

async function publish(client: pg.Client, publication: Publication): Promise<void> {
  try {
    await publishAsExpected(client, publication).catch((error: unknown) => {
      if (sqlState(error) !== TARGET_CHANGED) throw error;
      return publishAsFound(client, publication);
    });
  } catch (error) {
    throw sqlState(error) === RUN_LOST ? new LostFence() : keyTooLong(error, publication.job.run);
  }
}

/** In one trip, which is one transaction, where the target is as it was when the run was claimed. */
async function publishAsExpected(client: pg.Client, publication: Publication): Promise<void> {
  const { latest, target } = publication.job.run;
  const place = { latest, generation: target.currentGeneration };
  await together(client, [begun(publication, place), ...publishing(publication, place)]);
}

async function publishAsFound(client: pg.Client, publication: Publication): Promise<void> {
  const found = begun(publication, undefined);
  await together(client, [begin(), found]);
  const [target] = found.rows;
  if (target === undefined) throw new LostFence();
  const place = { latest: target.latest, generation: target.current_generation };
  await together(client, [...publishing(publication, place), commit()]);
}

function begun({ job: { run, worker }, snapshotAt }: Publication, place: Place | undefined) {
  const expected = [place?.latest ?? null, place?.generation ?? null] as const;
  return beginPublication.step(run.runId, run.attempt, worker, snapshotAt, ...expected);
}

function publishing(publication: Publication, { latest, generation }: Place): Step[] {
  const { job, snapshotAt, batches, beside, counts } = publication;
  const { run } = job;
  const { rowsDone, rowsFailed, cpuSeconds } = counts;
  return [
    ...(latest ? [supersede(run.target, generation)] : []),
    predictionsStep(run, latest ? generation : HISTORY, batches),
    ...beside(),
    finishRun.step(run.runId, snapshotAt, latest, latest ? generation : HISTORY, rowsDone, rowsFailed, cpuSeconds),
    ...(run.handle.kind === 'view' ? [dropHandle.step(run.handle.handleId)] : []),
  ];
}
