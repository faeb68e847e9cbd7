import type { Binary, Data } from 'apache-arrow';
import { PgscoreError } from '../errors.ts';
import type { SegmentIndexes, DecodedBatch } from './batch.ts';
import { type ViewedBytes, viewed } from '../lib/bytes.ts';
import { numbersOf, type Predictions, type RowErrorCode } from '../inference/predictions.ts';
import { GIVES, type Task } from '../inference/signature.ts';
import { encodedField, FieldWriter } from './field-writer.ts';

type PredictionTarget = {
  /** The generation and the run (a bigint, in decimal digits) of every row; null: the table has them as its defaults. */
  readonly constants: { readonly generation: number; readonly runId: string } | null;
  readonly task: Task;
  /** Or the names of the values of a row; none for a regression. */
  readonly classLabels: readonly string[];
  /** A column for each class or value; [] where the model gives none. null: the probabilities of all classes as one jsonb. */
  readonly valueColumns: readonly string[] | null;
};

type Keys = Pick<DecodedBatch, 'rows' | 'keys' | 'eventTime'> & Partial<Pick<DecodedBatch, 'hash'>>;

/** Bytes of a tuple besides its keys, label, values and error code. */
const FIXED_BYTES = 2 + 8 + 12 + 12 + 4 * 3;
const LONGEST_ERROR_CODE = 64;

/**
 * Predictions as tuples of binary COPY. Columns, in this order:
 * - generation int4 and run_id int8, unless they are defaults;
 * - the key columns; event_time timestamptz, if the source has one; the hash of the row int8, if it was read for a watch;
 * - score float8 and label text, if the task gives them; probabilities, margins or values;
 * - error_code text; the values of its segments text[], if the run has segments.
 *
 * A row that could not be scored has NULL for its prediction.
 * @throws PgscoreError internal for any other row without a finite prediction
 */
export class PredictionEncoder {
  readonly #constants: readonly ViewedBytes[];
  readonly #score: boolean;
  readonly #label: boolean;
  readonly #labels: readonly ViewedBytes[];
  readonly #values: ValueFields;
  readonly #longestLabel: number;
  readonly #errorCodes = new Map<string, ViewedBytes>();
  readonly #segments = new SegmentsField();

  constructor({ constants, task, classLabels, valueColumns }: PredictionTarget) {
    this.#constants = constants === null ? [] : encodedConstants(constants);
    ({ score: this.#score, label: this.#label } = GIVES[task]);
    this.#labels = this.#label ? classLabels.map((label) => encodedField(Buffer.from(label))) : [];
    this.#values = valueFields(task, classLabels, valueColumns);
    this.#longestLabel = this.#labels.reduce((longest, { bytes }) => Math.max(longest, bytes.length), 0);
  }

  /** The tuples of one batch. */
  encode(
    { rows, keys, eventTime, hash = null }: Keys,
    predictions: Predictions,
    segments: SegmentIndexes | null = null,
  ): Buffer {
    const { errors } = predictions;
    const passed = [...keys, eventTime, hash].flatMap((column) => (column === null ? [] : [new PassedFields(column)]));
    const { numbers, width } = numbersOf(predictions);
    const own = Number(this.#score) + Number(this.#label) + this.#values.count;
    const fields = this.#constants.length + passed.length + own + 1 + (segments === null ? 0 : 1);
    const segmentBytes = segments === null ? 0 : this.#segments.maxBytes(segments);
    const rowBytes = FIXED_BYTES + this.#longestLabel + this.#values.maxBytes(width) + segmentBytes;
    const ownBytes = rows * rowBytes + errors.size * LONGEST_ERROR_CODE;
    const writer = new FieldWriter(passed.reduce((sum, { maxBytes }) => sum + maxBytes, ownBytes));
    for (let row = 0; row < rows; row += 1) {
      writer.beginTuple(fields);
      for (const constant of this.#constants) writer.encoded(constant);
      for (const column of passed) column.write(writer, row);
      const error = errors.size === 0 ? undefined : errors.get(row);
      if (error === undefined) {
        this.#writeDecision(writer, predictions, row, numbers === null);
        this.#writeNumbers(writer, numbers, row * width, width);
        writer.null();
      } else {
        writeNulls(writer, own);
        writer.encoded(this.#errorCode(error.code));
      }
      if (segments !== null) this.#segments.write(writer, segments, row);
    }
    return writer.written();
  }

  /** The score and the label, as far as the task gives them; `isAlone`: there are no numbers beside them. */
  #writeDecision(writer: FieldWriter, { score, label }: Predictions, row: number, isAlone: boolean): void {
    if (this.#score) {
      const value = score[row] ?? Number.NaN;
      if (Number.isFinite(value)) writer.float8(value);
      else if (this.#label && isAlone) writer.null();
      else throw new PgscoreError('internal', `row ${row} has the score ${value} and no error`);
    }
    if (!this.#label) return;
    const text = this.#labels[label?.[row] ?? -1];
    if (text === undefined) throw new PgscoreError('internal', `row ${row} has the label ${label?.[row]} and no error`);
    writer.encoded(text);
  }

  #writeNumbers(writer: FieldWriter, numbers: Float64Array | null, from: number, width: number): void {
    if (numbers === null) writeNulls(writer, this.#values.count);
    else this.#values.write(writer, numbers, from, width);
  }

  #errorCode(code: RowErrorCode): ViewedBytes {
    const known = this.#errorCodes.get(code) ?? encodedField(Buffer.from(code));
    this.#errorCodes.set(code, known);
    return known;
  }
}

function writeNulls(writer: FieldWriter, fields: number): void {
  for (let field = 0; field < fields; field += 1) writer.null();
}

function encodedConstants({ generation, runId }: NonNullable<PredictionTarget['constants']>): ViewedBytes[] {
  const [generationBytes, runIdBytes] = [Buffer.alloc(4), Buffer.alloc(8)];
  generationBytes.writeInt32BE(generation);
  runIdBytes.writeBigInt64BE(BigInt(runId));
  return [encodedField(generationBytes), encodedField(runIdBytes)];
}

/** A column whose bytes went through undecoded, on its way out again. */
class PassedFields {
  /** Most bytes that its values and their lengths take. */
  readonly maxBytes: number;
  readonly #column: Data<Binary>;
  readonly #values: ViewedBytes;
  readonly #offsets: Int32Array;

  constructor(column: Data<Binary>) {
    this.#column = column;
    this.#values = viewed(column.values);
    this.#offsets = column.valueOffsets;
    this.maxBytes = 4 * column.length + column.values.length;
  }

  write(writer: FieldWriter, row: number): void {
    const valid = this.#column.nullCount === 0 || this.#column.getValid(row);
    if (valid) writer.value(this.#values, this.#offsets[row] ?? 0, this.#offsets[row + 1] ?? 0);
    else writer.null();
  }
}

/** How the probabilities, margins or values of a row are written. */
interface ValueFields {
  /** Fields of a tuple. */
  readonly count: number;
  /** Most bytes they can take, lengths included, of a row with `width` numbers. */
  maxBytes(width: number): number;
  /** Writes those of a row: `width` numbers, from numbers[from] on. */
  write(writer: FieldWriter, numbers: Float64Array, from: number, width: number): void;
}

/** `columns` are those of the target. */
function valueFields(task: Task, classLabels: readonly string[], columns: readonly string[] | null): ValueFields {
  if (task === 'embedding') return VECTOR_FIELD;
  if (task === 'multilabel') return labelFields(classLabels.length);
  if (columns === null) return GIVES[task].label ? jsonbField(classLabels) : numberFields(0);
  if (GIVES[task].label && columns.length !== classLabels.length && columns.length > 0) {
    throw new PgscoreError('internal', `${columns.length} probability columns for ${classLabels.length} classes`);
  }
  return numberFields(columns.length);
}

/** A float8 each. */
function numberFields(count: number): ValueFields {
  return {
    count,
    maxBytes: () => 12 * count,
    write(writer, numbers, from) {
      for (let at = from; at < from + count; at += 1) writer.float8(finite(numbers[at]));
    },
  };
}

/** The probability of each label, or NULL where the model gives labels alone; then a boolean for each. */
function labelFields(labels: number): ValueFields {
  return {
    count: 2 * labels,
    maxBytes: () => 24 * labels,
    write(writer, numbers, from) {
      for (let at = from; at < from + labels; at += 1) {
        if (Number.isNaN(numbers[at])) writer.null();
        else writer.float8(finite(numbers[at]));
      }
      for (let at = from + labels; at < from + 2 * labels; at += 1) writer.bool(numbers[at] === 1);
    },
  };
}

/** All numbers as one real[]. */
const VECTOR_FIELD: ValueFields = {
  count: 1,
  maxBytes: (width) => 4 + HEADER_BYTES + 8 * width,
  write(writer, numbers, from, width) {
    const field = writer.beginArray('float4', width);
    for (let at = from; at < from + width; at += 1) writer.float4(finite(numbers[at]));
    writer.endField(field);
  },
};

/** jsonb travels as a version byte, 1, and text: here an object from class label to number. */
const JSONB_VERSION = '\u0001';
const LONGEST_NUMBER = 25;

function jsonbField(classLabels: readonly string[]): ValueFields {
  const names = classLabels.map((label) => `${JSON.stringify(label)}:`);
  const nameBytes = names.reduce((sum, name) => sum + Buffer.byteLength(name), 0);
  return {
    count: 1,
    maxBytes: () => 4 + 3 + nameBytes + names.length * (LONGEST_NUMBER + 1),
    write(writer, probabilities, from) {
      const members = names.map((name, index) => `${name}${finite(probabilities[from + index])}`);
      const value = Buffer.from(`${JSONB_VERSION}{${members.join(',')}}`);
      writer.value(viewed(value), 0, value.length);
    },
  };
}

function finite(number: number | undefined): number {
  if (number !== undefined && Number.isFinite(number)) return number;
  throw new PgscoreError('internal', `a row without an error has the number ${number}`);
}

/** Dimensions, flags, type, elements and lower bound of an array. */
const HEADER_BYTES = 20;
const ONE_DIMENSION = 1;
const TEXT_OID = 25;

const NULL_VALUE = viewed(Buffer.alloc(4, 0xff));

/** The values of a row's segments as one text[]. */
class SegmentsField {
  readonly #encoded: ViewedBytes[][] = [];
  readonly #longest: number[] = [];

  /** Most bytes that the field of a row can take. */
  maxBytes({ values }: SegmentIndexes): number {
    for (const [column, of] of values.entries()) this.#encode(of, column);
    return this.#longest.reduce((sum, bytes) => sum + bytes, 4 + HEADER_BYTES);
  }

  /** Writes the field of `row`; to be called after `maxBytes` of the same batch. */
  write(writer: FieldWriter, { indexes }: SegmentIndexes, row: number): void {
    const elements = indexes.map((index, column) => this.#encoded[column]?.[index[row] ?? 0] ?? NULL_VALUE);
    writer.int4(elements.reduce((sum, { bytes }) => sum + bytes.length, HEADER_BYTES));
    writer.int4(ONE_DIMENSION);
    writer.int4(elements.includes(NULL_VALUE) ? 1 : 0);
    writer.int4(TEXT_OID);
    writer.int4(elements.length);
    writer.int4(1);
    for (const element of elements) writer.encoded(element);
  }

  /** Encodes the values that came to a column since. */
  #encode(values: readonly (string | null)[], column: number): void {
    const encoded = (this.#encoded[column] ??= []);
    for (const value of values.slice(encoded.length)) {
      const field = value === null ? NULL_VALUE : encodedField(Buffer.from(value));
      encoded.push(field);
      this.#longest[column] = Math.max(this.#longest[column] ?? 4, field.bytes.length);
    }
  }
}
