import type { FeatureRows } from '../../inference/number-rows.ts';
import type { Signature } from '../../inference/signature.ts';
import { RowRefusal } from './row-refusal.ts';
import type { ScoreRequest } from './parse.ts';
import { WireError } from '../protocol/wire-error.ts';
import { numbersOf, type Predictions } from '../../inference/predictions.ts';

const EPOCH_MS = Date.UTC(2000, 0, 1);

/** How the message of a call came. A long one waits to be read, and its rows are not to be held for longer than they must. */
export type Arrival = { readonly isLong: boolean; readonly waitedMs: number };

const AT_ONCE: Arrival = { isLong: false, waitedMs: 0 };

/** A score() under way, from its arrival until it is finished, once: answered, failed, past its deadline or given up. */
export class Call {
  readonly request: ScoreRequest;
  readonly askedAt: Date;
  /** As they came, until it is known how the model names their values. */
  rows: FeatureRows;
  /** Whether the log was not behind when it came, or has caught up since: then it has room for it. */
  hasRoom = false;
  readonly #began: number;
  readonly isLong: boolean;
  readonly #parts: Part[] = [];
  #timer: NodeJS.Timeout | undefined;
  #answer: Promise<Answer> | undefined;
  #outcome: Answer | WireError | undefined;
  #ended: number | undefined;
  #taken = 0;
  #scored = 0;
  readonly #onFinished: ((call: Call) => void)[] = [];

  constructor(request: ScoreRequest, { isLong, waitedMs }: Arrival = AT_ONCE) {
    this.request = request;
    this.askedAt = new Date(Date.now() - waitedMs);
    this.#began = performance.now() - waitedMs;
    this.isLong = isLong;
    this.rows = request.rows;
  }

  /** To be awaited where the call is not finished yet. */
  get answer(): Promise<Answer> {
    this.#answer ??= this.#await();
    return this.#answer;
  }

  get outcome(): Answer | WireError | undefined {
    return this.#outcome;
  }

  /** Undefined where it is not answered, or failed. */
  get answered(): Answer | undefined {
    return this.#outcome instanceof WireError ? undefined : this.#outcome;
  }

  /** When it was asked, in microseconds since 2000, from where PostgreSQL counts. */
  get instant(): number {
    return (this.askedAt.getTime() - EPOCH_MS) * 1000;
  }

  get elapsedMs(): number {
    return (this.#ended ?? performance.now()) - this.#began;
  }

  get rowsLeft(): number {
    return this.rows.length - this.#taken;
  }

  /** Whether it still awaits its answer. A timer comes late where a run blocks the thread, so the clock is asked too. */
  get waits(): boolean {
    if (this.#outcome === undefined && this.elapsedMs >= this.request.deadlineMs) this.#expire();
    return this.#outcome === undefined;
  }

  onFinished(listener: (call: Call) => void): void {
    this.#onFinished.push(listener);
  }

  /** The next rows that no run has had, at most so many. */
  take(most: number): FeatureRows {
    const from = this.#taken;
    this.#taken = Math.min(from + most, this.rows.length);
    if (from === 0 && this.#taken === this.rows.length) return this.rows;
    return this.rows.slice(from, this.#taken);
  }

  /** How many rows came before those that the next part is for. */
  get scored(): number {
    return this.#scored;
  }

  add(part: Part, signature: Signature): void {
    if (this.#outcome !== undefined) return;
    this.#parts.push(part);
    this.#scored += part.rows;
    if (this.#scored < this.rows.length) return;
    this.#finish({ signature, parts: this.#parts });
  }

  fail(error: WireError): void {
    if (this.#outcome !== undefined) return;
    const { range } = this.request;
    this.#finish(error instanceof RowRefusal && range !== undefined ? error.renumbered(range) : error);
  }

  #await(): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      const finish = (): void => {
        if (this.#outcome instanceof WireError) reject(this.#outcome);
        else if (this.#outcome !== undefined) resolve(this.#outcome);
      };
      if (this.#outcome !== undefined) return finish();
      this.#timer = setTimeout(() => this.#expire(), this.request.deadlineMs - this.elapsedMs);
      this.onFinished(finish);
    });
    answer.catch(() => undefined);
    return answer;
  }

  #expire(): void {
    this.fail(tooLate(this.request.deadlineMs));
  }

  #finish(result: Answer | WireError): void {
    this.#outcome = result;
    this.#ended = performance.now();
    clearTimeout(this.#timer);
    for (const listener of this.#onFinished) listener(this);
  }
}

/** Why a call has no answer: its deadline passed. */
function tooLate(deadlineMs: number): WireError {
  return new WireError('57014', `the call was not answered within its deadline of ${deadlineMs} ms`, {
    hint: 'Allow more milliseconds, as in set pgscore.deadline = 20000, or score many rows with pgscore.score_table().',
  });
}

/** For how long a message waits to become a call: until its deadline, or until its caller goes or gives it up. */
export class Deadline {
  /** Who asks, as far as it is known. */
  readonly owner: string;
  readonly #deadlineMs: number;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #lost: Promise<never>;
  #lose: (error: WireError) => void = () => undefined;
  #error: WireError | undefined;

  constructor(owner: string, deadlineMs: number) {
    this.owner = owner;
    this.#deadlineMs = deadlineMs;
    this.#lost = new Promise((_, reject) => {
      this.#lose = reject;
    });
    this.#lost.catch(() => undefined);
    this.#timer = setTimeout(() => this.fail(tooLate(deadlineMs)), deadlineMs);
  }

  get elapsedMs(): number {
    return performance.now() - this.#began;
  }

  fail(error: WireError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#lose(error);
  }

  /** Raises where nobody waits any more. A timer comes late where work blocks the thread, so the clock is asked too. */
  check(): void {
    if (this.elapsedMs >= this.#deadlineMs) this.fail(tooLate(this.#deadlineMs));
    if (this.#error !== undefined) throw this.#error;
  }

  /** What is waited for, unless it is given up before. */
  or<T>(awaited: Promise<T>): Promise<T> {
    return Promise.race([awaited, this.#lost]);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Rows of one run that belong to one call. */
export type Part = { readonly predictions: Predictions; readonly from: number; readonly rows: number };

/** What a call is answered with: its rows in their order, in the parts in which they were run. */
export type Answer = { readonly signature: Signature; readonly parts: readonly Part[] };

/** What a model says of one row. */
type RowAnswer = {
  readonly score: number | null;
  /** null for a regression, and where there are several values. */
  readonly label: string | null;
  /** Probabilities or margins in the order of the class labels, or the values of a row; null where the model gives none. */
  readonly numbers: Float64Array | null;
};

export function* answersOneByOne({ signature: { classLabels }, parts }: Answer): Generator<RowAnswer> {
  for (const { predictions, from, rows } of parts) {
    for (let row = from; row < from + rows; row += 1) yield rowAnswer(predictions, row, classLabels);
  }
}

/** null for a classifier that gives labels only, and for several targets or labels. */
export function scoreOf(predictions: Predictions, row: number): number | null {
  const value = predictions.score[row] ?? Number.NaN;
  return Number.isNaN(value) && mayLackScore(predictions) ? null : value;
}

export function mayLackScore({ label, probabilities, values }: Predictions): boolean {
  return values !== undefined || (label !== null && probabilities === null);
}

function rowAnswer(predictions: Predictions, row: number, labels: readonly string[]): RowAnswer {
  const { label } = predictions;
  const { numbers, width } = numbersOf(predictions);
  return {
    score: scoreOf(predictions, row),
    label: label === null ? null : (labels[label[row] ?? -1] ?? null),
    numbers: numbers && numbers.subarray(row * width, (row + 1) * width),
  };
}
