import { PgscoreError } from '../errors.ts';
import { viewed } from '../lib/viewed-bytes.ts';
import type { FieldWriter } from './field-writer.ts';

/** How the probabilities of a row are written: a column for each class, or one for all of them. */
export interface ProbabilityFields {
  /** Fields of a tuple. */
  readonly count: number;
  /** Most bytes they can take, lengths included. */
  readonly maxBytes: number;
  /** Writes those of `row` out of [rows, classes], row-major. */
  write(writer: FieldWriter, probabilities: Float64Array, row: number): void;
}

/** `columns` as for the table: one float8 column a class, or null for one jsonb, an object from class label to number. */
export function probabilityFields(
  classLabels: readonly string[],
  columns: readonly string[] | null,
): ProbabilityFields {
  const classes = classLabels.length;
  if (columns === null) return jsonbField(classLabels);
  if (columns.length !== classes) {
    throw new PgscoreError('internal', `${columns.length} probability columns for ${classes} classes`);
  }
  return {
    count: classes,
    maxBytes: 12 * classes,
    write(writer, probabilities, row) {
      for (let at = row * classes; at < (row + 1) * classes; at += 1) writer.float8(finite(probabilities[at]));
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

function finite(probability: number | undefined): number {
  if (probability !== undefined && Number.isFinite(probability)) return probability;
  throw new PgscoreError('internal', `a row without an error has the probability ${probability}`);
}
