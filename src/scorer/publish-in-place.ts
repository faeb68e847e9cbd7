import type pg from 'pg';
import { sqlState } from '../postgres/sqlstate.ts';
import { begin, commit, type PipelinedStatement, runPipeline } from '../postgres/pipeline.ts';
import { finishArmsStatements, beginPublication, RUN_LOST, TARGET_CHANGED, finishRun } from '../runs/publish.ts';
import { refusalToPublish, problemOfWriting } from '../runs/publication-errors.ts';
import { dropHandle } from '../runs/tidy.ts';
import type { Job, Outcome } from '../runs/job.ts';
import type { Run } from '../runs/run.ts';
import { statement } from '../postgres/statement.ts';
import { WorkLost } from './load.ts';
import { supersede, predictionsStatement } from './write-predictions.ts';
import { type Scored, type ScoredStream } from './scored-stream.ts';
import { rowErrorStatements } from './row-errors.ts';
import type { ScorerContext } from './context.ts';

/** Superseded rows live in generation 0; so do those of a run that is not to be the latest. */
const HISTORY = 0;

/** A small run that is scored, to be published. */
export type Publication = {
  readonly job: Job;
  readonly snapshotAt: string;
  readonly batches: readonly Scored[];
  /** Statements that are written with the predictions: failed rows, and counts for the monitor. */
  readonly sideStatements: () => PipelinedStatement[];
  readonly counts: ScoredStream['counts'];
};

/** Whether predictions become the latest ones, and the generation that holds the latest ones. */
type TargetState = { readonly latest: boolean; readonly generation: number };

/** Publishes a small run in one transaction: what the current generation held becomes history, the new rows replace it. */
export async function publishInPlace(
  job: Job,
  snapshotAt: string,
  scored: ScoredStream,
  context: ScorerContext,
): Promise<Outcome> {
  const client = await context.writer.client();
  await expectPublishable(client, job.run, scored);
  const publication = await publicationOf(job, snapshotAt, scored);
  await publishOne(client, publication);
  return { kind: 'published', ...publication.counts };
}

/** Throws if a run must not be published, once its failed rows are stored. */
export async function expectPublishable(
  client: pg.Client,
  run: Run,
  { rowsDone, rowsFailed, failed }: ScoredStream,
  unchanged = 0,
): Promise<void> {
  const problem = refusalToPublish(run, rowsDone + unchanged, rowsFailed, failed[0]?.error.message);
  if (problem === undefined) return;
  await runPipeline(client, rowErrorStatements(run, 0, failed));
  throw problem;
}

/** Reads a small run to its end, for publication. */
export async function publicationOf(job: Job, snapshotAt: string, scored: ScoredStream): Promise<Publication> {
  const batches: Scored[] = [];
  for await (const batch of scored) batches.push(batch);
  const { counts } = scored;
  const sideStatements = (): PipelinedStatement[] => scored.statements(0);
  return { job, snapshotAt, batches, sideStatements, counts };
}

/** Publishes one run, even if its target changed since the claim. */
export async function publishOne(client: pg.Client, publication: Publication): Promise<void> {
  try {
    await publishAsExpected(client, publication).catch((error: unknown) => {
      if (sqlState(error) !== TARGET_CHANGED) throw error;
      return publishAsFound(client, publication);
    });
  } catch (error) {
    throw sqlState(error) === RUN_LOST ? new WorkLost() : problemOfWriting(error, publication.job.run);
  }
}

/**
 * Publishes runs in one pipeline, which is one transaction. Raises TARGET_CHANGED if a target changed since the claim.
 */
export async function publishAsExpected(client: pg.Client, ...publications: readonly Publication[]): Promise<void> {
  const steps = publications.flatMap((publication) => {
    const { latest, target } = publication.job.run;
    const state = { latest, generation: target.currentGeneration };
    return [beginStatement(publication, state), ...publishStatements(publication, state)];
  });
  await runPipeline(client, steps);
}

async function publishAsFound(client: pg.Client, publication: Publication): Promise<void> {
  const found = beginStatement(publication, undefined);
  await runPipeline(client, [begin(), found]);
  const [target] = found.rows;
  if (target === undefined) throw new WorkLost();
  const state = { latest: target.latest, generation: target.current_generation };
  await runPipeline(client, [...publishStatements(publication, state), commit()]);
}

export function beginStatement({ job: { run, serviceId }, snapshotAt }: Publication, state: TargetState | undefined) {
  const expected = [state?.latest ?? null, state?.generation ?? null] as const;
  return beginPublication.pipelined(run.runId, run.attempt, serviceId, snapshotAt, ...expected);
}

function publishStatements(publication: Publication, { latest, generation }: TargetState): PipelinedStatement[] {
  const { job, snapshotAt, batches, counts } = publication;
  const { run } = job;
  const { rowsDone, rowsFailed, cpuSeconds } = counts;
  return [
    ...(latest ? [supersede(run.target, generation)] : []),
    predictionsStatement(run, latest ? generation : HISTORY, batches),
    ...lastStatements(
      publication,
      finishRun.pipelined(
        run.runId,
        snapshotAt,
        latest,
        latest ? generation : HISTORY,
        rowsDone,
        rowsFailed,
        cpuSeconds,
        run.hashedAs,
      ),
    ),
  ];
}

const finishReplacement = statement<
  [
    runId: string,
    snapshotAt: string,
    rowsWritten: number,
    rowsRemoved: number,
    unchanged: number,
    failed: number,
    cpuSeconds: number,
  ],
  { run_id: string }
>('finish_replacement', 'select pgscore_data._finish_replacement($1, $2, $3, $4, $5, $6, $7) as run_id');

/** The statements that publish new predictions in place of those that were removed before, for a watch or changed rows. */
export function replacementStatements(
  publication: Publication,
  { removed, unchanged }: { readonly removed: number; readonly unchanged: number },
): PipelinedStatement[] {
  const { job, snapshotAt, batches, counts } = publication;
  const { run } = job;
  const { rowsDone, rowsFailed, cpuSeconds } = counts;
  const finished = [run.runId, snapshotAt, rowsDone, removed, unchanged, rowsFailed, cpuSeconds] as const;
  return [
    ...(rowsDone > 0 ? [predictionsStatement(run, run.target.currentGeneration, batches)] : []),
    ...lastStatements(publication, finishReplacement.pipelined(...finished)),
  ];
}

function lastStatements(
  { job: { run }, sideStatements }: Publication,
  finish: PipelinedStatement,
): PipelinedStatement[] {
  return [
    ...sideStatements(),
    finish,
    ...finishArmsStatements(run),
    ...(run.handle.kind === 'view' ? [dropHandle.pipelined(run.handle.handleId)] : []),
  ];
}
