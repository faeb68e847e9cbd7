import { begin, commit, runPipeline } from '../postgres/pipeline.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { statement } from '../postgres/statement.ts';
import type { Job, Outcome } from '../runs/job.ts';
import { RUN_LOST, TARGET_CHANGED } from '../runs/publish.ts';
import { problemOfWriting, targetChanged } from '../runs/publication-errors.ts';
import { Comparison, NotCompared } from './changed-rows.ts';
import { WorkLost } from './load.ts';
import {
  beginStatement,
  expectPublishable,
  publicationOf,
  replacementStatements,
  type Publication,
} from './publish-in-place.ts';
import { rowsPerBatch } from './arms.ts';
import { readSource, snapshotTime } from './read-source.ts';
import { loadArms, scoreJob, scoreRows } from './score-job.ts';
import type { ScorerContext } from './context.ts';
import { supersedeRows } from './write-predictions.ts';

/** After so many attempts a run scores all rows: other runs publish to the target again and again. */
const MOST_ATTEMPTS = 10;

/** Scores the rows of a run that changed, or all rows if that costs less. */
export async function scoreChanged(job: Job, context: ScorerContext): Promise<Outcome> {
  try {
    return await scoreDifferences(job, context);
  } catch (error) {
    if (!(error instanceof NotCompared)) throw error;
    await context.reader.destroy();
    return scoreJob(job, context);
  }
}

/**
 * Reads the source once and skips rows whose hash the target has. One transaction replaces the predictions of changed
 * rows, and removes those of rows that are gone.
 */
async function scoreDifferences(claimed: Job, context: ScorerContext): Promise<Outcome> {
  if (claimed.run.attempt > MOST_ATTEMPTS) throw new NotCompared();
  const [latest] = await latestPredictions(await context.writer.client(), claimed.run.target.targetId);
  if (latest === undefined || latest.hashed_as !== claimed.run.hashedAs) throw new NotCompared();
  const job = withTarget(claimed, latest);
  const arms = await loadArms(job, context);
  const reading = await context.reader.open(job);
  const comparison = new Comparison(job.run, context);
  const changed = comparison.changed(readSource(job, reading, rowsPerBatch(arms, context.batchRows), context));
  const scored = await scoreRows(job, arms, changed, comparison.context, () => Promise.resolve([]));
  const publication = { ...(await publicationOf(job, '', scored)), snapshotAt: snapshotTime(reading) };
  await expectPublishable(await context.writer.client(), job.run, scored, comparison.unchanged);
  const published = publishChanges(publication, latest, comparison, context);
  await published.catch((error: unknown) => {
    if (sqlState(error) === RUN_LOST) throw new WorkLost();
    throw sqlState(error) === TARGET_CHANGED ? targetChanged(job.run) : problemOfWriting(error, job.run);
  });
  return { kind: 'published', ...publication.counts };
}

type Latest = { generation: number; rows: string; snapshot_at: string | null; hashed_as: string | null };

/** The latest predictions of the target: other runs may have published since the claim. */
const latestPredictions = statement<[targetId: number], Latest>(
  'latest_predictions',
  `select current_generation as generation, current_rows as rows, current_snapshot_at::text as snapshot_at, hashed_as
     from pgscore_data.target where target_id = $1`,
);

function withTarget({ run, ...job }: Job, { generation, rows }: Latest): Job {
  const target = { ...run.target, currentGeneration: generation, currentRows: Number(rows) };
  return { ...job, run: { ...run, target } };
}

/** Returns no row if the target was published to since the comparison. */
const sameTarget = statement<[targetId: number, snapshotAt: string | null], { target_id: number }>(
  'same_target',
  'select target_id from pgscore_data.target where target_id = $1 and current_snapshot_at is not distinct from $2::timestamptz',
);

async function publishChanges(
  publication: Publication,
  latest: Latest,
  comparison: Comparison,
  context: ScorerContext,
): Promise<void> {
  const { run } = publication.job;
  const { target } = run;
  const client = await context.writer.client();
  const replaced = comparison.replaced();
  const same = sameTarget.pipelined(target.targetId, latest.snapshot_at);
  const gone = supersedeRows(target, replaced);
  const state = { latest: true, generation: target.currentGeneration };
  await runPipeline(client, [begin(), beginStatement(publication, state), same, gone]);
  // The ctids differ if the owner of the target had it rewritten.
  if (same.rows.length === 0 || Number(gone.rows[0]?.moved) !== replaced.rowTids.length) throw targetChanged(run);
  await runPipeline(client, [
    ...replacementStatements(publication, { removed: replaced.rowTids.length, unchanged: comparison.unchanged }),
    commit(),
  ]);
}
