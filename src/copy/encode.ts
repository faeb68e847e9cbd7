import { PgscoreError } from '../errors.ts';
import type { SegmentPlaces } from '../lib/segment-places.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';
import type { Predictions } from '../inference/predictions.ts';
import type { RowErrorCode } from '../inference/row-error.ts';
import type { DecodedBatch } from './decoded-batch.ts';
import { encodedField, FieldWriter } from './field-writer.ts';
import { PassedFields } from './passed-fields.ts';
import { probabilityFields } from './probability-fields.ts';
import type { ProbabilityFields } from './probability-fields.ts';
import { SegmentsField } from './segments-field.ts';

export type PredictionTarget = {
  /** The generation and the run (a bigint, in decimal digits) of every row; null: the table has them as its defaults. */
  readonly constants: { readonly generation: number; readonly runId: string } | null;
  /** None for a regression, which has neither label nor probabilities. */
  readonly classLabels: readonly string[];
  /** One float8 column a class; null: all of them as one jsonb. */
  readonly probabilityColumns: readonly string[] | null;
};

type Keys = Pick<DecodedBatch, 'rows' | 'keys' | 'eventTime'>;

/** Bytes of a tuple besides its keys, label, probabilities and error code. */
const FIXED_BYTES = 2 + 8 + 12 + 12 + 4 * 3;
const LONGEST_ERROR_CODE = 64;

/**
 * Predictions as tuples of binary COPY. Columns: generation int4 and run_id int8, unless they are defaults; the key columns;
 * event_time timestamptz, if the source has one; score float8; of classifiers label text and the probabilities; error_code
 * text; the values of its segments text[], if the run has segments. A row that could not be scored has only its key, event time, error code and segments; raises `internal` for any other that
 * has no finite prediction.
 */
export class PredictionEncoder {
  readonly #constants: readonly ViewedBytes[];
  readonly #labels: readonly ViewedBytes[];
  readonly #probabilities: ProbabilityFields;
  /** Most bytes of a row besides its keys. */
  readonly #rowBytes: number;
  readonly #errorCodes = new Map<string, ViewedBytes>();
  readonly #segments = new SegmentsField();

  constructor({ constants, classLabels, probabilityColumns }: PredictionTarget) {
    this.#constants = constants === null ? [] : encodedConstants(constants);
    this.#labels = classLabels.map((label) => encodedField(Buffer.from(label)));
    this.#probabilities = probabilityFields(classLabels, probabilityColumns);
    const longestLabel = this.#labels.reduce((longest, { bytes }) => Math.max(longest, bytes.length), 0);
    this.#rowBytes = FIXED_BYTES + longestLabel + this.#probabilities.maxBytes;
  }

  /** The tuples of one batch. */
  encode({ rows, keys, eventTime }: Keys, predictions: Predictions, segments: SegmentPlaces | null = null): Buffer {
    const { errors } = predictions;
    const passed = (eventTime === null ? keys : [...keys, eventTime]).map((column) => new PassedFields(column));
    const ofClasses = predictions.label === null ? 0 : 1 + this.#probabilities.count;
    const fields = this.#constants.length + passed.length + 2 + ofClasses + (segments === null ? 0 : 1);
    const segmentBytes = segments === null ? 0 : this.#segments.maxBytes(segments);
    const ownBytes = rows * (this.#rowBytes + segmentBytes) + errors.size * LONGEST_ERROR_CODE;
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
        this.#writeError(writer, error.code, ofClasses);
      }
      if (segments !== null) this.#segments.write(writer, segments, row);
    }
    return writer.written();
  }

  #writePrediction(writer: FieldWriter, { score, label, probabilities }: Predictions, row: number): void {
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

  #writeError(writer: FieldWriter, code: RowErrorCode, ofClasses: number): void {
    for (let field = 0; field <= ofClasses; field += 1) writer.null();
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
