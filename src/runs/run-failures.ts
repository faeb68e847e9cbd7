import type { Link } from '../postgres/connection.ts';
import { storable } from '../lib/storable.ts';
import type { Logger } from '../log.ts';
import { failRun } from './fail-run.ts';
import { handBackRuns, handBackShards, handBackVersions } from './hand-back.ts';
import { releaseShard } from './release-shard.ts';
import { requeueRun } from './requeue-run.ts';
import type { Run } from './run.ts';
import type { Outcome, Shard } from './job.ts';
import type { RunMetrics } from './metrics.ts';

/** A run that was tried so often is not tried again; a shard that was takes its run with it. */
export const MOST_TRIES = 3;

export type Failed = Extract<Outcome, { kind: 'failed' }>;
type Claimed = Pick<Run, 'runId' | 'attempt' | 'model'>;
type Reason = Pick<Failed, 'code' | 'message' | 'remedy'>;

/**
 * Writes down what becomes of work that did not succeed. Every statement is under the fence of that work: where it went
 * through after all, or belongs to another by now, nothing changes. That is why each can be tried again.
 */
export class Settlement {
  readonly #link: Link;
  readonly #metrics: RunMetrics;
  readonly #log: Logger;

  constructor(link: Link, metrics: RunMetrics, log: Logger) {
    this.#link = link;
    this.#metrics = metrics;
    this.#log = log;
  }

  /** Ends a run; resolves with whether it was still going on. */
  async fail({ runId, attempt, model }: Claimed, reason: Reason, rowsDone = 0, rowsFailed = 0): Promise<boolean> {
    const failed = await this.#link.insist((client) =>
      failRun(client, runId, attempt, reason.code, storable(reason.message), reason.remedy, rowsDone, rowsFailed),
    );
    if (failed.length === 0) return false;
    this.#metrics.ended(model, 'failed');
    // The reason may quote a row, which is the requester's to read.
    this.#log.warn({ run: runId, code: reason.code }, 'run failed; pgscore.runs says why');
    return true;
  }

  /** Puts a run back into the queue, or ends it where it was tried too often; resolves with whether it was still going on. */
  async requeue(run: Run, { code, message, remedy }: Reason): Promise<boolean> {
    const [given] = await this.#link.insist((client) =>
      requeueRun(client, run.runId, run.attempt, MOST_TRIES, code, storable(message), remedy, waitAfter(code)),
    );
    if (given === undefined) return false;
    if (given.state !== 'queued') this.#metrics.ended(run.model, given.state);
    this.#log.warn({ run: run.runId, attempt: run.attempt, code }, `run ${given.state}: ${message}`);
    return true;
  }

  /** Opens a shard again. */
  async reopen({ runId, attempt }: Run, { shard, fence }: Shard, { code, message }: Reason): Promise<void> {
    const [now] = await this.#link.insist((client) =>
      releaseShard(client, runId, attempt, shard, fence, storable(message), waitAfter(code)),
    );
    if (now?.state === 'queued') this.#log.warn({ run: runId, shard, code }, `shard opened again: ${message}`);
  }

  /** Gives all that a worker holds back to the queue, without costing it a try. */
  async handBack(worker: string): Promise<void> {
    await this.#link.insist((client) => handBackRuns(client, worker));
    await this.#link.insist((client) => handBackShards(client, worker));
    await this.#link.insist((client) => handBackVersions(client, worker));
  }
}

const UNREACHABLE_WAIT_MS = 2000;

/** Work for which no connection could be had, because the server is full or away, waits for one; it was not tried. */
function waitAfter(code: string): number | null {
  return code === 'database_unreachable' ? UNREACHABLE_WAIT_MS : null;
}
