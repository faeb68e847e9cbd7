import type { RecordBatch } from 'apache-arrow';
import { rowsPerRun, rowsByLength, takenRows } from './arrays.ts';
import { emptyFeed, paddedRowsOf, rowsOf, type Feed } from './feed.ts';
import { buildFeeds, type Feeds, TextCache } from './feeds.ts';
import { type Graph, type RunOutput, GraphLost } from './graph.ts';
import type { OutputReader } from './value-outputs.ts';
import { checkRows, neededOutputs, outputReader } from './outputs.ts';
import { reasonOf } from './ort-errors.ts';
import { blankErrors, copyPrediction, emptyPredictions, type Predictions, type RowError } from './predictions.ts';
import type { FeatureRows } from './number-rows.ts';
import { rowFeeds } from './row-feeds.ts';
import type { Signature } from './signature.ts';

/** Predictions of some rows, from one on, among those of others. */
export type PredictionsAmong = { readonly predictions: Predictions; readonly from: number };

/** Arrays for so many rows are made at once: to make them for each takes as long as to walk its trees. */
const ROOM_ROWS = 128;

/** A network computes with each of its weights in every row: more rows at once would take minutes. */
const MOST_ROWS_TIMES_BYTES = 2 ** 38;
const LEAST_ROWS = 64;

/** One version of a model, ready to score batches. Scoring blocks the thread: it belongs into a child process. */
export class ModelSession {
  readonly signature: Signature;
  /** How many rows it scores within seconds, estimated from the size of its file. */
  readonly mostRows: number;
  readonly #graph: Graph;
  readonly #outputs: string[];
  readonly #read: OutputReader;
  readonly #texts = new TextCache();
  #refusals = 0;
  #oneRow: Feed[] | undefined;
  #room: Predictions | undefined;
  #taken = 0;

  constructor(graph: Graph, signature: Signature, read = outputReader(signature), bytes = 1) {
    this.signature = signature;
    this.mostRows = Math.max(LEAST_ROWS, Math.floor(MOST_ROWS_TIMES_BYTES / bytes));
    this.#graph = graph;
    this.#outputs = neededOutputs(signature);
    this.#read = read;
  }

  /**
   * Scores the rows of a batch, whose columns are found by the names of the features. A row that can't be scored is in
   * `errors` and spoils no other; `unread` are rows that the reader of the batch gave up.
   * @throws PgscoreError feature_column_missing, feature_column_mistyped, model_output_rows
   * @throws GraphLost
   */
  predict(batch: RecordBatch, unread?: ReadonlyMap<number, RowError>): Promise<Predictions> {
    return this.#predict(buildFeeds(batch, this.signature, this.#texts, unread));
  }

  /** Scores rows that came with a call: of numbers, or as JSON, each with a key for every feature. */
  predictRows(rows: FeatureRows): Promise<Predictions> {
    return this.#predict(rowFeeds(rows, this.signature));
  }

  /** predictRows() in this turn of the event loop. The predictions are among those of other calls. Undefined where the model can't. */
  predictRowsSync(given: FeatureRows): PredictionsAmong | undefined {
    if (this.#graph.runSync === undefined || this.signature.batch !== null) return undefined;
    const { rows, feeds, errors } = this.#feedsOf(given);
    const { predictions, from } = this.#roomFor(rows);
    for (const [row, error] of errors) predictions.errors.set(from + row, error);
    if (errors.size < rows) this.#read(this.#graph.runSync(feeds, rows), from, rows, predictions);
    if (predictions.errors.size > 0) blankErrors(predictions);
    return { predictions, from };
  }

  /** Whether what it says of a row cannot depend on the rows beside it: each is walked, or run, by itself. */
  get isRowWise(): boolean {
    return this.#graph.isRowWise === true || this.signature.batch === 1;
  }

  #feedsOf(given: FeatureRows): Feeds {
    if (given.length > 1) return rowFeeds(given, this.signature);
    this.#oneRow ??= this.signature.inputs.map((input) => emptyFeed(input, 1));
    return rowFeeds(given, this.signature, this.#oneRow);
  }

  #roomFor(rows: number): PredictionsAmong {
    if (rows > ROOM_ROWS) return { predictions: emptyPredictions(this.signature, rows, new Map()), from: 0 };
    if (this.#room === undefined || this.#taken + rows > ROOM_ROWS) {
      this.#room = emptyPredictions(this.signature, ROOM_ROWS, new Map());
      this.#taken = 0;
    }
    const from = this.#taken;
    this.#taken += rows;
    return { predictions: this.#room, from };
  }

  async #predict({ rows, feeds, errors }: Feeds): Promise<Predictions> {
    const predictions = emptyPredictions(this.signature, rows, new Map(errors));
    if (feeds.some(({ offsets }) => offsets !== undefined)) await this.#scoreByLength(feeds, predictions);
    else if (errors.size < rows) await this.#score(feeds, 0, rows, predictions);
    blankErrors(predictions);
    return predictions;
  }

  async #scoreByLength(feeds: readonly Feed[], into: Predictions): Promise<void> {
    for (const rows of rowsByLength(feeds, into.rows, into.errors)) {
      const some = emptyPredictions(this.signature, rows.length, new Map());
      const equallyLong = feeds.map((feed) => takenRows(feed, rows));
      await this.#score(equallyLong, 0, rows.length, some);
      rows.forEach((row, from) => copyPrediction(some, from, into, row));
    }
  }

  /** Runs that the model refused so far, of one row or of many. */
  get refusals(): number {
    return this.#refusals;
  }

  async release(): Promise<void> {
    await this.#graph.release();
  }

  /** Scores rows `from` to `to`; where the model refuses them, halves them until the rows at fault stand alone. */
  async #score(feeds: readonly Feed[], from: number, to: number, into: Predictions): Promise<void> {
    const most = this.signature.batch ?? rowsPerRun(feeds);
    if (to - from > most) {
      for (let at = from; at < to; at += most) await this.#score(feeds, at, Math.min(at + most, to), into);
      return;
    }
    const outputs = await this.#run(feeds, from, to);
    if (Array.isArray(outputs)) {
      this.#read(outputs, from, to - from, into);
    } else if (to - from === 1) {
      into.errors.set(from, outputs);
    } else {
      const middle = from + Math.floor((to - from) / 2);
      await this.#score(feeds, from, middle, into);
      await this.#score(feeds, middle, to, into);
    }
  }

  async #run(feeds: readonly Feed[], from: number, to: number): Promise<RunOutput[] | RowError> {
    const rows = this.signature.batch ?? to - from;
    const inputs = feeds.map((feed) => ({
      input: feed.input,
      data: rows === to - from ? rowsOf(feed, from, to) : paddedRowsOf(feed, from, to, rows),
    }));
    let outputs: RunOutput[];
    try {
      outputs = await this.#graph.run(inputs, rows, this.#outputs);
    } catch (error) {
      if (error instanceof GraphLost) throw error;
      this.#refusals += 1;
      return { code: 'refused_by_model', message: reasonOf(error) };
    }
    outputs.forEach((output) => checkRows(output, rows));
    return outputs;
  }
}
