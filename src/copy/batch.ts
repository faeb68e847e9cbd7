import { Binary, type Data, type RecordBatch } from 'apache-arrow';
import type { RowError } from '../inference/predictions.ts';
import { recordBatch } from '../inference/record-batch.ts';
import { batchCapacity, type BatchLimits, type SourceColumn } from './source-column.ts';
import { planTuple, type TuplePlan, type TupleStep } from './tuple-plan.ts';

/** Some rows of a source, as its COPY stream gave them. */
export type DecodedBatch = {
  readonly rows: number;
  /** The feature columns, by name. Bool is Uint8, smallint and integer Int32, numeric Float64, vectors FixedSizeList. */
  readonly batch: RecordBatch;
  /** The key columns in their order: the bytes of each value as they came. */
  readonly keys: readonly Data<Binary>[];
  readonly eventTime: Data<Binary> | null;
  /** The columns of segments in their order, as texts. */
  readonly segments: readonly Data<Binary>[];
  /** The columns that an experiment splits by in their order, as texts. */
  readonly splits: readonly Data<Binary>[];
  /** A hash of the row, where it is to tell whether the row changes. */
  readonly hash: Data<Binary> | null;
  /** Rows that can't be scored, by index. Their bad value reads as NULL in `batch`. */
  readonly badRows: Map<number, RowError>;
};

/** Fills one batch after the other: knows which row is being read, and when a batch is full. */
export class BatchAssembler {
  readonly #columns: readonly SourceColumn[];
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #plan: TuplePlan;
  /** Rows that the arrays have room for: few until a batch turns out to need more. */
  #room: number;
  #rows = 0;
  #bytes = 0;
  #badRows = new Map<number, RowError>();

  constructor(columns: readonly SourceColumn[], limits: BatchLimits) {
    this.#columns = columns;
    this.#capacity = batchCapacity(columns, limits);
    this.#room = Math.min(FIRST_ROOM, this.#capacity);
    this.#maxBytes = limits.bytes;
    this.#plan = planTuple(columns, limits.bytes, (row, error) => {
      if (!this.#badRows.has(row)) this.#badRows.set(row, error);
    });
  }

  get steps(): readonly TupleStep[] {
    return this.#plan.steps;
  }

  /** The row of the batch that is being read. */
  get row(): number {
    return this.#rows;
  }

  beginRow(): void {
    if (this.#rows === 0) for (const step of this.steps) step.begin(this.#room);
    else if (this.#rows === this.#room) this.#grow();
  }

  #grow(): void {
    this.#room = Math.min(4 * this.#room, this.#capacity);
    for (const step of this.steps) step.grow(this.#room);
  }

  /** Ends a row that came as `bytes` bytes. Returns the batch where it is full now. */
  endRow(bytes: number): DecodedBatch | undefined {
    this.#rows += 1;
    this.#bytes += bytes;
    const full = this.#rows === this.#capacity || this.#bytes >= this.#maxBytes;
    return full ? this.take() : undefined;
  }

  /** The rows read so far; nothing where there are none. */
  take(): DecodedBatch | undefined {
    const rows = this.#rows;
    if (rows === 0) return undefined;
    const data = this.#plan.builders.map((builder) => builder.finish(rows));
    const badRows = this.#badRows;
    this.#rows = 0;
    this.#bytes = 0;
    this.#badRows = new Map();
    const ofRole = (role: SourceColumn['role']) => data.filter((_, index) => this.#columns[index]?.role === role);
    const names = this.#columns.filter(({ role }) => role === 'feature').map(({ name }) => name);
    return {
      rows,
      batch: recordBatch(names, ofRole('feature'), rows),
      keys: ofRole('key').filter(isBinary),
      eventTime: ofRole('event_time').find(isBinary) ?? null,
      segments: ofRole('segment').filter(isBinary),
      splits: ofRole('split').filter(isBinary),
      hash: ofRole('hash').find(isBinary) ?? null,
      badRows,
    };
  }
}

/** Arrays for 8,192 rows cost 0.5 ms to make and to collect, which a run of one row would pay each time. */
const FIRST_ROOM = 128;

function isBinary(data: Data): data is Data<Binary> {
  return data.type instanceof Binary;
}

/** The segments of the rows of a batch. */
export type SegmentIndexes = {
  /** For each column, where the value of each row stands among its values. */
  readonly indexes: readonly Uint32Array[];
  /** The values of each column, by index; null is NULL. They are only ever added to. */
  readonly values: readonly (readonly (string | null)[])[];
  /** For each column, the first index of a value that has no name yet. */
  readonly firstUnnamed: readonly number[];
};
