import { PgscoreError } from '../errors.ts';
import { listenToParent, tellParent } from '../lib/child-process.ts';
import { DatabaseConnection, LOOKING_UP } from '../postgres/connection.ts';
import { isConnectionLoss } from '../postgres/sqlstate.ts';
import { failureOf } from '../runs/describe-failure.ts';
import { BRIEF_LOCKS } from '../runs/publish.ts';
import type { ScoreAlone, Job, Outcome, FromScorer, ScorerSettings, ToScorer } from '../runs/job.ts';
import { WorkLost } from './load.ts';
import { ModelCache } from '../inference/cache.ts';
import { FeatureBinsCache } from '../monitor/feature-bins.ts';
import { ScoreBins } from '../monitor/score-bins.ts';
import type { ScorerContext } from './context.ts';
import { Reader } from './read-source.ts';
import { scoreChanged } from './score-changed.ts';
import { scoreJob } from './score-job.ts';
import { scoreKeys } from './score-keys.ts';
import { scoreTogether } from './score-together.ts';

/** The statements of a scorer look up by key: they need no plan for each value. */
const WRITING = { ...LOOKING_UP, ...BRIEF_LOCKS, plan_cache_mode: 'force_generic_plan' };

/** How often to report progress: a message costs both sides more than a small batch does. */
const REPORT_MS = 50;

/** The scorer process: takes jobs over IPC, one at a time or several small ones together, and ends with its parent. */
class Scorer {
  readonly #reader: Reader;
  readonly #writer: DatabaseConnection;
  readonly #models: ModelCache;
  readonly #batchRows: number;
  #scoreBins: ScoreBins | undefined;
  readonly #featureBins = new FeatureBinsCache();
  readonly #jobs = new Map<number, AbortController>();

  constructor(settings: ScorerSettings) {
    this.#reader = new Reader(settings.readerUrl);
    this.#writer = new DatabaseConnection({
      url: settings.databaseUrl,
      applicationName: 'pgscore scorer',
      settings: WRITING,
    });
    this.#models = new ModelCache(settings.modelMemoryBytes);
    this.#batchRows = settings.batchRows;
  }

  /** A job was given. It may have to wait for the job before it. */
  announce(jobId: number): void {
    this.#jobs.set(jobId, new AbortController());
  }

  abort(jobId: number): void {
    this.#jobs.get(jobId)?.abort(new PgscoreError('aborted', 'the run was cancelled'));
  }

  async release(runId?: string): Promise<void> {
    await this.#reader.release(runId).catch(() => this.#reader.destroy());
  }

  /** Scores one job, or several together. Reports the outcome of each, or that it is to be scored alone. */
  async score(jobs: readonly Job[], onOutcome: (job: Job, outcome: Outcome | ScoreAlone) => void): Promise<void> {
    const [job] = jobs;
    const outcomes =
      job !== undefined && jobs.length === 1 ? [await this.#scoreAlone(job)] : await this.#scoreTogether(jobs);
    for (const [index, one] of jobs.entries()) {
      const aborted = this.#jobs.get(one.id)?.signal.aborted === true;
      this.#jobs.delete(one.id);
      onOutcome(one, outcomes[index] ?? { kind: aborted ? 'aborted' : 'score_alone' });
    }
  }

  /** Undefined for jobs that are to be scored alone: nothing of them was committed. */
  async #scoreTogether(jobs: readonly Job[]): Promise<readonly (Outcome | undefined)[]> {
    const contexts = new Map(jobs.map((job) => [job, this.#contextOf(job)]));
    try {
      return await scoreTogether(jobs, (job) => contexts.get(job) ?? this.#contextOf(job));
    } catch (error) {
      await this.#disconnect();
      return isConnectionLoss(error) ? jobs.map((job) => outcomeOf(error, job, NOTHING)) : [];
    }
  }

  async #scoreAlone(job: Job): Promise<Outcome> {
    const context = this.#contextOf(job);
    try {
      context.signal.throwIfAborted();
      const { keyLists, comparesRows, split } = job.run;
      if (keyLists !== null && split?.sample === undefined) return await scoreKeys(job, keyLists, context);
      return await (comparesRows && job.shard === null ? scoreChanged(job, context) : scoreJob(job, context));
    } catch (error) {
      await this.#disconnect();
      return outcomeOf(error, job, context.counts());
    }
  }

  #contextOf(job: Job): ScorerContext & { readonly counts: () => Counted } {
    const { signal } = this.#jobs.get(job.id) ?? new AbortController();
    let counts = NOTHING;
    let reportedAt = performance.now();
    const onWait = (): void => {
      reportedAt = performance.now();
      send({ type: 'progress', jobId: job.id, ...counts });
    };
    const onProgress = (rowsDone: number, rowsFailed: number): void => {
      signal.throwIfAborted();
      counts = { rowsDone, rowsFailed };
      if (performance.now() - reportedAt > REPORT_MS) onWait();
    };
    return {
      reader: this.#reader,
      writer: this.#writer,
      models: this.#models,
      scoreBins: async () => (this.#scoreBins ??= await ScoreBins.load(await this.#writer.client())),
      featureBins: this.#featureBins,
      batchRows: this.#batchRows,
      onProgress,
      onWait,
      signal,
      counts: () => counts,
    };
  }

  async #disconnect(): Promise<void> {
    await Promise.all([this.#reader.destroy(), this.#writer.close()]);
  }
}

type Counted = { readonly rowsDone: number; readonly rowsFailed: number };
const NOTHING: Counted = { rowsDone: 0, rowsFailed: 0 };

function outcomeOf(error: unknown, job: Job, counts: Counted): Outcome {
  if (error instanceof WorkLost) return { kind: 'lost' };
  if (error instanceof PgscoreError && error.code === 'aborted') return { kind: 'aborted' };
  return { kind: 'failed', ...failureOf(error, job.run), ...counts };
}

function send(message: FromScorer): void {
  tellParent(message);
}

/**
 * A scorer that gets no job for so long gives up the snapshot of its run, even if nobody tells it that no shard is
 * left.
 */
const IDLE_MS = 500;

let scorer: Scorer | undefined;
let idle: NodeJS.Timeout | undefined;
let work: Promise<void> = Promise.resolve();

function receive(message: ToScorer): void {
  if (message.type === 'start') {
    scorer = new Scorer(message.settings);
    send({ type: 'ready' });
  } else if (message.type === 'abort') {
    scorer?.abort(message.jobId);
  } else {
    if (message.type === 'score') for (const { id } of message.jobs) scorer?.announce(id);
    work = work.then(() => handle(message));
  }
}

async function handle(message: Extract<ToScorer, { type: 'score' | 'release' }>): Promise<void> {
  if (scorer === undefined) return;
  clearTimeout(idle);
  if (message.type === 'release') await scorer.release(message.runId);
  else await scorer.score(message.jobs, (job, outcome) => send({ type: 'outcome', jobId: job.id, outcome }));
  idle = setTimeout(() => {
    work = work.then(() => scorer?.release());
  }, IDLE_MS);
}

listenToParent(receive);
