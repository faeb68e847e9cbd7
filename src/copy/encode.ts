import type { Binary, Data } from 'apache-arrow';
import { PgscoreError } from '../errors.ts';
import type { SegmentPlaces } from '../lib/segment-places.ts';
import { type ViewedBytes, viewed } from '../lib/bytes.ts';
import { numbersOf, type Predictions, type RowErrorCode } from '../inference/predictions.ts';
import type { ValueTask } from '../inference/signature.ts';
import type { DecodedBatch } from './batch.ts';
import { encodedField, FieldWriter } from './field-writer.ts';

type PredictionTarget = {
  /** The generation and the run (a bigint, in decimal digits) of every row; null: the table has them as its defaults. */
  readonly constants: { readonly generation: number; readonly runId: string } | null;
  /** None for a regression, which has neither label nor probabilities. */
  readonly classLabels: readonly string[];
  /** One float8 column a class, or a column a value; [] where the model gives none; null: the probabilities of all classes as one jsonb. */
  readonly valueColumns: readonly string[] | null;
  /** Of a model with several values a row. */
  readonly valueTask?: ValueTask | undefined;
};

type Keys = Pick<DecodedBatch, 'rows' | 'keys' | 'eventTime'> & Partial<Pick<DecodedBatch, 'hash'>>;

/** Bytes of a tuple besides its keys, label, probabilities and error code. */
const FIXED_BYTES = 2 + 8 + 12 + 12 + 4 * 3;
const LONGEST_ERROR_CODE = 64;

/**
 * Predictions as tuples of binary COPY. Columns: generation int4 and run_id int8, unless they are defaults; the key columns;
 * event_time timestamptz, if the source has one; the hash of its row int8, if it was read for a watch; score float8, but for several targets or labels; of classifiers label text and
 * the probabilities, of a model with several values these; error_code text; the values of its segments text[], if the run has segments. A row that could not be scored has only its key, event time, error code and segments; raises `internal` for any other that
 * has no finite prediction.
 */
export class PredictionEncoder {
  readonly #constants: readonly ViewedBytes[];
  readonly #labels: readonly ViewedBytes[];
  readonly #probabilities: ProbabilityFields;
  readonly #values: ValueFields | undefined;
  /** Most bytes of a row besides its keys. */
  readonly #rowBytes: number;
  readonly #errorCodes = new Map<string, ViewedBytes>();
  readonly #segments = new SegmentsField();

  constructor({ constants, classLabels, valueColumns, valueTask }: PredictionTarget) {
    this.#constants = constants === null ? [] : encodedConstants(constants);
    this.#labels = classLabels.map((label) => encodedField(Buffer.from(label)));
    this.#probabilities = valueTask === undefined ? probabilityFields(classLabels, valueColumns) : NO_FIELDS;
    this.#values = valueTask && new ValueFields(valueTask, classLabels.length, valueColumns?.length ?? 0);
    const longestLabel = this.#labels.reduce((longest, { bytes }) => Math.max(longest, bytes.length), 0);
    this.#rowBytes = FIXED_BYTES + longestLabel + this.#probabilities.maxBytes;
  }

  /** The tuples of one batch. */
  encode(
    { rows, keys, eventTime, hash = null }: Keys,
    predictions: Predictions,
    segments: SegmentPlaces | null = null,
  ): Buffer {
    const { errors } = predictions;
    const passed = [...keys, eventTime, hash].flatMap((column) => (column === null ? [] : [new PassedFields(column)]));
    const own = this.#ownFields(predictions);
    const fields = this.#constants.length + passed.length + own + 1 + (segments === null ? 0 : 1);
    const ownBytes = rows * this.#mostBytes(predictions, segments) + errors.size * LONGEST_ERROR_CODE;
    const writer = new FieldWriter(passed.reduce((sum, { maxBytes }) => sum + maxBytes, ownBytes));
    for (let row = 0; row < rows; row += 1) {
      writer.beginTuple(fields);
      for (const constant of this.#constants) writer.encoded(constant);
      for (const column of passed) column.write(writer, row);
      const error = errors.size === 0 ? undefined : errors.get(row);
      if (error === undefined) {
        this.#writePrediction(writer, predictions, row);
        writer.null();
      } else {
        this.#writeError(writer, error.code, own);
      }
      if (segments !== null) this.#segments.write(writer, segments, row);
    }
    return writer.written();
  }

  /** Of a row besides its keys and error code. */
  #mostBytes(predictions: Predictions, segments: SegmentPlaces | null): number {
    const segmentBytes = segments === null ? 0 : this.#segments.maxBytes(segments);
    return this.#rowBytes + segmentBytes + (this.#values?.maxBytes(predictions) ?? 0);
  }

  /** Fields of a prediction but for its error code. */
  #ownFields({ label }: Predictions): number {
    return this.#values?.count ?? (label === null ? 1 : 2 + this.#probabilities.count);
  }

  #writePrediction(writer: FieldWriter, predictions: Predictions, row: number): void {
    if (this.#values !== undefined) return this.#values.write(writer, predictions, row);
    const { score, label } = predictions;
    const { numbers: probabilities } = numbersOf(predictions);
    const value = score[row] ?? Number.NaN;
    if (Number.isFinite(value)) writer.float8(value);
    else if (label !== null && probabilities === null) writer.null();
    else throw new PgscoreError('internal', `row ${row} has the score ${value} and no error`);
    if (label === null) return;
    const text = this.#labels[label[row] ?? -1];
    if (text === undefined) throw new PgscoreError('internal', `row ${row} has the label ${label[row]} and no error`);
    writer.encoded(text);
    if (probabilities !== null) return this.#probabilities.write(writer, probabilities, row);
    for (let field = 0; field < this.#probabilities.count; field += 1) writer.null();
  }

  #writeError(writer: FieldWriter, code: RowErrorCode, fields: number): void {
    for (let field = 0; field < fields; field += 1) writer.null();
    writer.encoded(this.#errorCode(code));
  }

  #errorCode(code: RowErrorCode): ViewedBytes {
    const known = this.#errorCodes.get(code) ?? encodedField(Buffer.from(code));
    this.#errorCodes.set(code, known);
    return known;
  }
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

/** How several values of a row are written: a column each; or those of an embedding as one real[]. */
class ValueFields {
  /** Fields of a tuple. */
  readonly count: number;
  readonly #task: ValueTask;
  readonly #columns: number;
  /** How many of them, before the labels, are numbers. */
  readonly #numbers: number;

  constructor(task: ValueTask, names: number, columns: number) {
    this.#task = task;
    this.#columns = columns;
    this.#numbers = task === 'multilabel' ? columns - names : columns;
    this.count = columns + (task === 'quantiles' ? 1 : 0);
  }

  /** Most bytes that those of a row can take, lengths included. */
  maxBytes(predictions: Predictions): number {
    return this.#task === 'embedding' ? 4 + HEADER_BYTES + 8 * numbersOf(predictions).width : 12 * this.count;
  }

  write(writer: FieldWriter, predictions: Predictions, row: number): void {
    const { score, values } = predictions;
    if (this.#task === 'embedding') return writeVector(writer, predictions, row);
    if (this.#task === 'quantiles') writer.float8(finite(score[row]));
    for (let column = 0; column < this.#columns; column += 1) {
      const value = values?.[row * this.#columns + column] ?? Number.NaN;
      if (column >= this.#numbers) writer.bool(value === 1);
      // Of a model that gives labels only.
      else if (Number.isNaN(value) && this.#numbers < this.#columns) writer.null();
      else writer.float8(finite(value));
    }
  }
}

function writeVector(writer: FieldWriter, predictions: Predictions, row: number): void {
  const { numbers, width } = numbersOf(predictions);
  const field = writer.beginArray('float4', width);
  for (let at = row * width; at < (row + 1) * width; at += 1) writer.float4(finite(numbers?.[at]));
  writer.endField(field);
}

/** How the probabilities of a row are written: a column for each class, or one for all of them. */
interface ProbabilityFields {
  /** Fields of a tuple. */
  readonly count: number;
  /** Most bytes they can take, lengths included. */
  readonly maxBytes: number;
  /** Writes those of `row` out of [rows, classes], row-major. */
  write(writer: FieldWriter, probabilities: Float64Array, row: number): void;
}

const NO_FIELDS: ProbabilityFields = { count: 0, maxBytes: 0, write: () => undefined };

/** `columns` as for the table: one float8 column a class, or null for one jsonb, an object from class label to number. */
function probabilityFields(classLabels: readonly string[], columns: readonly string[] | null): ProbabilityFields {
  const classes = classLabels.length;
  if (columns === null) return jsonbField(classLabels);
  if (columns.length !== classes && columns.length > 0) {
    throw new PgscoreError('internal', `${columns.length} probability columns for ${classes} classes`);
  }
  return {
    count: columns.length,
    maxBytes: 12 * columns.length,
    write(writer, probabilities, row) {
      for (let at = 0; at < columns.length; at += 1) writer.float8(finite(probabilities[row * classes + at]));
    },
  };
}

/** jsonb travels as a version byte, 1, and text. */
const JSONB_VERSION = '\u0001';
const LONGEST_NUMBER = 25;

function jsonbField(classLabels: readonly string[]): ProbabilityFields {
  const names = classLabels.map((label) => `${JSON.stringify(label)}:`);
  const nameBytes = names.reduce((sum, name) => sum + Buffer.byteLength(name), 0);
  return {
    count: 1,
    maxBytes: 4 + 3 + nameBytes + names.length * (LONGEST_NUMBER + 1),
    write(writer, probabilities, row) {
      const from = row * names.length;
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

const NULL_VALUE = ((): ViewedBytes => {
  const bytes = Buffer.alloc(4, 0xff);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
})();

/** The values of a row's segments as one text[]. */
class SegmentsField {
  readonly #encoded: ViewedBytes[][] = [];
  readonly #longest: number[] = [];

  /** Most bytes that the field of a row can take. */
  maxBytes({ values }: SegmentPlaces): number {
    for (const [column, of] of values.entries()) this.#encode(of, column);
    return this.#longest.reduce((sum, bytes) => sum + bytes, 4 + HEADER_BYTES);
  }

  /** Writes the field of `row`; to be called after `maxBytes` of the same batch. */
  write(writer: FieldWriter, { places }: SegmentPlaces, row: number): void {
    const elements = places.map((place, column) => this.#encoded[column]?.[place[row] ?? 0] ?? NULL_VALUE);
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
