import { setImmediate as afterInput } from 'node:timers/promises';
import type { Predictions } from '../inference/predictions.ts';
import type { ModelSession } from '../inference/session.ts';
import type { Part, Call } from './requests/call.ts';
import { batchesOf, BatchSize, groupOf, WaitingCalls, type Batch, type Share } from './batches.ts';
import type { OnlineModels } from './models.ts';
import { rowRefusal } from './requests/row-refusal.ts';
import { runFailure } from './version-faults.ts';

type BatcherOptions = {
  readonly models: Pick<OnlineModels, 'loaded' | 'load' | 'inTurn'>;
  /** Most rows of one run. */
  readonly batchRows: number;
  readonly onRun: (rows: number) => void;
};

/** A call of more rows waits for its turn: those that came in with it would wait for all of them. */
const MOST_AT_ONCE_ROWS = 64;

/**
 * Runs calls of the same version together; those of different roles only if the model is row-wise. A small call of trees, which are
 * walked here, is answered at once if no other call of the version waits. Any other call waits for the next run. A run in a runner
 * that is detached goes on beside the next.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #waiting = new Map<number, WaitingCalls>();
  readonly #size: BatchSize;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#size = new BatchSize(options.batchRows);
  }

  add(call: Call, session: ModelSession): void {
    const { versionId } = call.request;
    const waiting = this.#waiting.get(versionId);
    const most = Math.min(MOST_AT_ONCE_ROWS, this.#options.batchRows);
    const isAnswered = waiting === undefined && call.rowsLeft <= most && this.#runSync(call, session);
    if (!isAnswered) this.#queue(versionId, call);
  }

  #queue(versionId: number, call: Call): void {
    call.onFinished(() => this.#waiting.get(versionId)?.delete(call));
    this.#enqueue(versionId, call);
  }

  #enqueue(versionId: number, call: Call): void {
    const before = this.#waiting.get(versionId);
    const waiting = before ?? new WaitingCalls();
    waiting.add(call);
    if (before !== undefined) return;
    this.#waiting.set(versionId, waiting);
    void this.#work(versionId, waiting);
  }

  /** False where the model can't answer in this turn of the event loop. */
  #runSync(call: Call, session: ModelSession): boolean {
    try {
      const answered = session.predictRowsSync(call.rows);
      if (answered === undefined) return false;
      const { length } = call.rows;
      this.#options.onRun(length);
      answerPart(call, { ...answered, rows: call.take(length).length }, session);
    } catch (error) {
      call.fail(runFailure(error));
    }
    return true;
  }

  /** A run may block the thread; afterwards all that came in meanwhile is read before the next is put together. */
  async #work(versionId: number, waiting: WaitingCalls): Promise<void> {
    await afterInput();
    while (!waiting.empty) {
      await this.#runNext(versionId, waiting).catch((error: unknown) => {
        for (const call of waiting.calls) call.fail(runFailure(error));
      });
      await afterInput();
    }
    this.#waiting.delete(versionId);
  }

  async #runNext(versionId: number, waiting: WaitingCalls): Promise<void> {
    const { models } = this.#options;
    if (models.loaded(versionId) === undefined) await models.load(versionId);
    let taken: Call[] = [];
    let ended = Promise.resolve();
    const run = (session: ModelSession): Promise<void> => {
      for (const call of waiting.calls) if (!call.waits) waiting.delete(call);
      const shares = waiting.take(this.#size.of(versionId), (call) => groupOf(call, session));
      taken = shares.map(({ call }) => call);
      ended = this.#runAll(batchesOf(shares), session, versionId);
      return ended;
    };
    const goesOn = await models.inTurn(versionId, { run, waits: () => taken.some(({ waits }) => waits) });
    if (goesOn) void this.#requeueAfter(versionId, waiting, taken, ended);
  }

  /** The rows of a call are answered in their order: its other rows wait until the run that goes on has ended. */
  async #requeueAfter(
    versionId: number,
    waiting: WaitingCalls,
    taken: readonly Call[],
    ended: Promise<void>,
  ): Promise<void> {
    for (const call of taken) waiting.delete(call);
    await ended;
    for (const call of taken) if (call.waits && call.rowsLeft > 0) this.#enqueue(versionId, call);
  }

  async #runAll(batches: readonly Batch[], session: ModelSession, versionId: number): Promise<void> {
    for (const batch of batches) {
      const began = performance.now();
      await this.#run(batch, session);
      this.#size.ran(versionId, batch.rows.length, performance.now() - began);
    }
  }

  async #run({ shares, rows }: Batch, session: ModelSession): Promise<void> {
    this.#options.onRun(rows.length);
    try {
      deal(shares, await session.predictRows(rows), session);
    } catch (error) {
      for (const { call } of shares) call.fail(runFailure(error));
    }
  }
}

/** Gives each call its part of a run. A call with a row that can't be scored fails, and no other with it. */
function deal(shares: readonly Share[], predictions: Predictions, session: ModelSession): void {
  let from = 0;
  for (const { call, rows } of shares) {
    answerPart(call, { predictions, from, rows: rows.length }, session);
    from += rows.length;
  }
}

function answerPart(call: Call, part: Part, { signature }: ModelSession): void {
  const { predictions, from, rows } = part;
  const bad = predictions.errors.size === 0 ? -1 : firstBad(predictions, from, rows);
  const error = predictions.errors.get(from + bad);
  if (bad >= 0 && error !== undefined)
    call.fail(rowRefusal(error, signature.features, call.scored + bad, call.rows.length));
  else call.add(part, signature);
}

function firstBad({ errors }: Predictions, from: number, rows: number): number {
  for (let row = 0; row < rows; row += 1) if (errors.has(from + row)) return row;
  return -1;
}
