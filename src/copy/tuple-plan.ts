import { Binary, Float32, Float64, Int32, Int64 } from 'apache-arrow';
import type { ViewedBytes } from '../lib/bytes.ts';
import type { RowError } from '../inference/predictions.ts';
import { MAX_VALUE_BYTES, NULL_LENGTH, protocolError } from './format.ts';
import type { SourceColumn, SqlType } from './source-column.ts';
import { bytesReader, featureReader, type RunType } from './readers.ts';
import { NumberColumn, type NumberType, type ColumnBuilder, type ValueReader } from './columns.ts';

/** Reads one column of a tuple, or a run of neighbours, into the column builders behind it. */
export interface TupleStep {
  /** Starts a batch, with room for `rows`. */
  begin(rows: number): void;
  /** Makes room for `rows`, which are more. */
  grow(rows: number): void;
  /**
   * Reads its fields of `row` from `at` on and returns the position behind them. That position may lie past `end`: then
   * what is between is to be skipped. A negative result says that nothing was read, and that so many bytes are needed.
   */
  read(chunk: ViewedBytes, at: number, end: number, row: number): number;
}

/** Tells that `row` can't be scored, and why. */
type RejectRow = (row: number, error: RowError) => void;

/** A column read one value at a time: its length, then what the column's reader makes of the bytes. */
class FieldStep implements TupleStep {
  readonly #source: SourceColumn;
  readonly #reader: ValueReader;
  readonly #maxBytes: number;
  readonly #reject: RejectRow;

  /** Values longer than `maxBytes` are skipped, and their row can't be scored. */
  constructor(source: SourceColumn, reader: ValueReader, maxBytes: number, reject: RejectRow) {
    this.#source = source;
    this.#reader = reader;
    this.#maxBytes = maxBytes;
    this.#reject = reject;
  }

  begin(rows: number): void {
    this.#reader.column.begin(rows);
  }

  grow(rows: number): void {
    this.#reader.column.grow(rows);
  }

  read(chunk: ViewedBytes, start: number, end: number, row: number): number {
    if (end - start < 4) return -4;
    const length = chunk.view.getInt32(start);
    const at = start + 4;
    if (length < 0 || length > this.#maxBytes) {
      this.#passOver(length, row);
      return length === NULL_LENGTH ? at : at + length;
    }
    if (end - at < length) return -4 - length;
    const error = this.#reader.read(chunk, at, length, row);
    if (error !== undefined) this.#passOverFor(error, row);
    return at + length;
  }

  #passOver(length: number, row: number): void {
    const { name, role } = this.#source;
    if (length === NULL_LENGTH) return this.#reader.column.setNull(row);
    if (length < 0 || length > MAX_VALUE_BYTES) throw protocolError(`a value of ${name} claims ${length} bytes`);
    if (role !== 'feature') throw protocolError(`a value of ${name} has ${length} bytes: too long for a ${role}`);
    const message = `${name} has ${length} bytes, the limit is ${this.#maxBytes}`;
    this.#passOverFor({ code: 'value_too_large', message, feature: name }, row);
  }

  #passOverFor(error: RowError, row: number): void {
    this.#reader.column.setNull(row);
    this.#reject(row, error);
  }
}

type NamedColumn = { readonly name: string; readonly column: NumberColumn<NumberType> };

/**
 * Neighbouring columns whose values all have one width. Bits move as 32-bit words, so that floats and integers share a
 * loop, NaN keeps its payload and no BigInt is made: 3 ns a value. The loop stands in a function of its own, without the
 * ways out of it, because it took 4 ns with them.
 */
abstract class FixedRun implements TupleStep {
  protected words: Int32Array[] = [];
  readonly #columns: readonly NamedColumn[];
  readonly #width: number;

  constructor(columns: readonly NamedColumn[], width: number) {
    this.#columns = columns;
    this.#width = width;
  }

  /** Reads whole values from the column `first` on, as far as they go; returns how many. */
  protected abstract readValues(view: DataView, start: number, end: number, row: number, first: number): number;

  begin(rows: number): void {
    for (const { column } of this.#columns) column.begin(rows);
    this.words = this.#columns.map(({ column }) => column.words);
  }

  grow(rows: number): void {
    for (const { column } of this.#columns) column.grow(rows);
    this.words = this.#columns.map(({ column }) => column.words);
  }

  read({ view }: ViewedBytes, start: number, end: number, row: number): number {
    let at = start;
    let index = 0;
    for (;;) {
      const count = this.readValues(view, at, end, row, index);
      index += count;
      at += count * (4 + this.#width);
      const column = this.#columns[index];
      if (column === undefined) return at;
      const needed = this.#needed(view, at, end, column.name);
      if (needed > 0) return start - at - needed;
      column.column.setNull(row);
      index += 1;
      at += 4;
    }
  }

  /** Bytes of a field that is cut off; 0 for a NULL. */
  #needed(view: DataView, at: number, end: number, name: string): number {
    if (end - at < 4) return 4;
    const length = view.getInt32(at);
    if (length === NULL_LENGTH) return 0;
    if (length === this.#width) return 4 + length;
    throw protocolError(`a value of ${name} has ${length} bytes, not ${this.#width}`);
  }
}

/** Columns of real and integer. */
class FourByteRun extends FixedRun {
  constructor(columns: readonly NamedColumn[]) {
    super(columns, 4);
  }

  protected readValues(view: DataView, start: number, end: number, row: number, first: number): number {
    const columns = this.words;
    let at = start;
    for (let index = first; index < columns.length; index += 1, at += 8) {
      const words = columns[index];
      if (words === undefined || end - at < 8 || view.getInt32(at) !== 4) return index - first;
      words[row] = view.getInt32(at + 4);
    }
    return columns.length - first;
  }
}

/** Columns of double precision and bigint: two words each, the low one first. */
class EightByteRun extends FixedRun {
  constructor(columns: readonly NamedColumn[]) {
    super(columns, 8);
  }

  protected readValues(view: DataView, start: number, end: number, row: number, first: number): number {
    const columns = this.words;
    let at = start;
    for (let index = first; index < columns.length; index += 1, at += 12) {
      const words = columns[index];
      if (words === undefined || end - at < 12 || view.getInt32(at) !== 8) return index - first;
      words[2 * row] = view.getInt32(at + 8);
      words[2 * row + 1] = view.getInt32(at + 4);
    }
    return columns.length - first;
  }
}

type RunStep = new (columns: readonly NamedColumn[]) => TupleStep;

const RUNS: Readonly<Record<RunType, { step: RunStep; type: NumberType }>> = {
  int4: { step: FourByteRun, type: new Int32() },
  float4: { step: FourByteRun, type: new Float32() },
  int8: { step: EightByteRun, type: new Int64() },
  float8: { step: EightByteRun, type: new Float64() },
};

/** How a tuple is read: the steps in wire order, and the builder behind each source column. */
export type TuplePlan = { readonly steps: readonly TupleStep[]; readonly builders: readonly ColumnBuilder[] };

/** A column of a run still to be made, or a column with a step of its own. */
type Planned =
  | { readonly run: RunStep; readonly name: string; readonly column: NumberColumn<NumberType> }
  | { readonly run: undefined; readonly step: TupleStep; readonly column: ColumnBuilder };

/** Decides once how each column is read; neighbours of one width become one run. */
export function planTuple(columns: readonly SourceColumn[], maxBytes: number, reject: RejectRow): TuplePlan {
  const planned = columns.map((source) => planColumn(source, maxBytes, reject));
  return { steps: joinRuns(planned), builders: planned.map(({ column }) => column) };
}

function planColumn(source: SourceColumn, maxBytes: number, reject: RejectRow): Planned {
  const ownStep = (reader: ValueReader): Planned => {
    const step = new FieldStep(source, reader, maxBytes, reject);
    return { run: undefined, step, column: reader.column };
  };
  if (source.role !== 'feature') return ownStep(bytesReader(new Binary()));
  const { name, type } = source;
  if (!isRunType(type)) return ownStep(featureReader(type, source));
  return { run: RUNS[type].step, name, column: new NumberColumn(RUNS[type].type) };
}

function joinRuns(planned: readonly Planned[]): TupleStep[] {
  const steps: TupleStep[] = [];
  let run: NamedColumn[] = [];
  planned.forEach((column, index) => {
    if (column.run === undefined) return steps.push(column.step);
    run.push(column);
    if (planned[index + 1]?.run !== column.run) {
      steps.push(new column.run(run));
      run = [];
    }
  });
  return steps;
}

function isRunType(type: SqlType): type is RunType {
  return type in RUNS;
}
