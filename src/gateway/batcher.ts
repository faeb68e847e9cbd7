import { setImmediate as afterInput } from 'node:timers/promises';
import type { JsonRow } from '../model/json-rows.ts';
import { NumberRows, type FeatureRows } from '../model/number-rows.ts';
import type { Predictions } from '../model/predictions.ts';
import type { ModelSession } from '../model/session.ts';
import type { Call } from './call.ts';
import { FairTurns, type Turn } from './fair-turns.ts';
import type { OneAtATime } from './one-at-a-time.ts';
import { rowRefusal } from './row-refusal.ts';
import { WireError } from './wire-error.ts';

export type Models = {
  loaded(versionId: number): ModelSession | undefined;
  load(versionId: number): Promise<ModelSession>;
};

export type BatcherOptions = {
  readonly models: Models;
  readonly thread: OneAtATime;
  /** Most rows of one run. */
  readonly batchRows: number;
  readonly onRun: (rows: number) => void;
};

/** A call of more rows waits for its turn: those that came in with it would wait for all of them. */
const MOST_AT_ONCE_ROWS = 64;

/**
 * Runs calls of the same version together. A call that finds the version idle is run at once, a small one by a model that
 * is computed here before anything else is done; what arrives during a run goes into the next.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #waiting = new Map<number, FairTurns<FeatureRows, Call>>();

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  add(call: Call, session: ModelSession): void {
    const { versionId } = call.request;
    const waiting = this.#waiting.get(versionId);
    const most = Math.min(MOST_AT_ONCE_ROWS, this.#options.batchRows);
    if (waiting === undefined && call.rowsLeft <= most && this.#runAtOnce(call, session)) return;
    const turns = waiting ?? new FairTurns<FeatureRows, Call>();
    turns.add(call);
    call.onSettled(() => turns.delete(call));
    if (waiting !== undefined) return;
    this.#waiting.set(versionId, turns);
    void this.#work(versionId, turns);
  }

  /** False where the model can't answer in this turn of the event loop. */
  #runAtOnce(call: Call, session: ModelSession): boolean {
    try {
      const predictions = session.predictRowsAtOnce(call.rows);
      if (predictions === undefined) return false;
      this.#options.onRun(predictions.rows);
      deal([{ call, rows: call.take(predictions.rows) }], predictions, session);
    } catch (error) {
      call.fail(runFailure(error));
    }
    return true;
  }

  /** The thread is blocked by a run; afterwards all that came in meanwhile is read before the next is put together. */
  async #work(versionId: number, turns: FairTurns<FeatureRows, Call>): Promise<void> {
    await afterInput();
    while (!turns.empty) {
      await this.#runNext(versionId, turns).catch((error: unknown) => {
        for (const call of turns.calls) call.fail(runFailure(error));
      });
      await afterInput();
    }
    this.#waiting.delete(versionId);
  }

  async #runNext(versionId: number, turns: FairTurns<FeatureRows, Call>): Promise<void> {
    const { models, thread, batchRows } = this.#options;
    if (models.loaded(versionId) === undefined) await models.load(versionId);
    await thread.run(async () => {
      const session = models.loaded(versionId);
      if (session === undefined) return;
      for (const call of turns.calls) if (!call.waits) turns.delete(call);
      for (const run of runsOf(turns.take(batchRows))) await this.#run(run, session);
    });
  }

  async #run({ turns, rows }: Run, session: ModelSession): Promise<void> {
    this.#options.onRun(rows.length);
    try {
      deal(turns, await session.predictRows(rows), session);
    } catch (error) {
      for (const { call } of turns) call.fail(runFailure(error));
    }
  }
}

type Run = { readonly turns: readonly Turn<Call, FeatureRows>[]; readonly rows: FeatureRows };

/** Rows of JSON are run together; a call of numbers has many, and is run by itself. */
function runsOf(turns: readonly Turn<Call, FeatureRows>[]): Run[] {
  const alone = turns.filter(({ rows }) => rows instanceof NumberRows);
  const together = turns.filter((turn): turn is Turn<Call, readonly JsonRow[]> => !(turn.rows instanceof NumberRows));
  const runs = alone.map((turn): Run => ({ turns: [turn], rows: turn.rows }));
  if (together.length === 0) return runs;
  return [{ turns: together, rows: together.flatMap(({ rows }) => rows) }, ...runs];
}

/** Gives each call its part of a run. A call with a row that can't be scored fails, and no other with it. */
function deal(batch: readonly Turn<Call, FeatureRows>[], predictions: Predictions, { signature }: ModelSession): void {
  let from = 0;
  for (const { call, rows } of batch) {
    const bad = predictions.errors.size === 0 ? -1 : firstBad(predictions, from, rows.length);
    const error = predictions.errors.get(from + bad);
    if (bad >= 0 && error !== undefined) call.fail(rowRefusal(error, call.scored + bad, call.rows.length));
    else call.add({ predictions, from, rows: rows.length }, signature);
    from += rows.length;
  }
}

function firstBad({ errors }: Predictions, from: number, rows: number): number {
  for (let row = 0; row < rows; row += 1) if (errors.has(from + row)) return row;
  return -1;
}

function runFailure(error: unknown): WireError {
  if (error instanceof WireError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new WireError('XX000', `the model could not be run: ${reason}`, {
    hint: 'The log of the service says more.',
    cause: error,
  });
}
