import type { RowError } from '../inference/row-error.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';
import { MAX_VALUE_BYTES, NULL_LENGTH } from './format.ts';
import { protocolError } from './protocol-error.ts';
import type { SourceColumn } from './source-column.ts';
import type { TupleStep } from './tuple-step.ts';
import type { ValueReader } from './value-reader.ts';

/** Tells that `row` can't be scored, and why. */
export type RejectRow = (row: number, error: RowError) => void;

/** A column read one value at a time: its length, then what the column's reader makes of the bytes. */
export class FieldStep implements TupleStep {
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
