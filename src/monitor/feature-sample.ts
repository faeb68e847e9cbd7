import { type Data, type RecordBatch, Int, Utf8 } from 'apache-arrow';
import { LONGEST } from './value-bins.ts';
import type { WatchedFeature } from './feature-bins.ts';
import { statement, type Queryable } from '../postgres/statement.ts';

/** Values of a feature; missing ones are null. */
export type FeatureValues = {
  readonly feature: number;
  readonly numbers: (number | null)[] | null;
  readonly texts: (string | null)[] | null;
};

/** A text that is too long for a category stands for any of them; the database takes it for such a one too. */
const TOO_LONG = ' '.repeat(LONGEST + 1);

/** Every `step`th value of a feature. */
export function valuesOf(
  { feature, name, kind }: WatchedFeature,
  batches: readonly RecordBatch[],
  step: number,
): FeatureValues {
  if (kind === 'number') return { feature, numbers: everyNth(name, batches, step, numberReader), texts: null };
  return { feature, numbers: null, texts: everyNth(name, batches, step, textReader) };
}

function everyNth<Value>(
  name: string,
  batches: readonly RecordBatch[],
  step: number,
  readerOf: (column: Data) => (row: number) => Value,
): (Value | null)[] {
  const values: (Value | null)[] = [];
  let next = 0;
  for (const batch of batches) {
    const column = columnNamed(batch, name);
    const valueOf = column === undefined ? undefined : readerOf(column);
    const valid = column === undefined ? null : validityOf(column);
    for (; next < batch.numRows; next += step) {
      values.push(valueOf !== undefined && isThere(valid, next) ? valueOf(next) : null);
    }
    next -= batch.numRows;
  }
  return values;
}

function numberReader(column: Data): (row: number) => number | null {
  const values = new Float64Array(column.length);
  doublesOf(column, values);
  return (row) => {
    const value = values[row];
    return value === undefined || Number.isNaN(value) ? null : value;
  };
}

function textReader(column: Data): (row: number) => string | null {
  if (!isText(column)) {
    const values = new Float64Array(column.length);
    doublesOf(column, values);
    return (row) => (values[row] === 0 ? 'false' : 'true');
  }
  const { values, valueOffsets } = column;
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return (row) => {
    const [start, end] = [valueOffsets[row] ?? 0, valueOffsets[row + 1] ?? 0];
    return end - start > LONGEST ? TOO_LONG : bytes.toString('utf8', start, end);
  };
}

/** Bins are made of so many rows; fewer are kept until there are as many together. */
export const LEAST_ROWS = 1000;
/** Values of a feature that bins are made of, and of all features. */
const MOST_SAMPLED = 10_000;
const MOST_SENT = 1_000_000;

const freeze = statement<[versionId: number, samples: string]>(
  'freeze_bins',
  'select pgscore_data._freeze_bins($1, $2)',
);

/** Freezes the bins of a version, if nobody has, by the values of its features in rows that were scored. */
export async function freezeBins(
  client: Queryable,
  versionId: number,
  watched: readonly WatchedFeature[],
  batches: readonly RecordBatch[],
): Promise<void> {
  const most = Math.max(LEAST_ROWS, Math.min(MOST_SAMPLED, Math.floor(MOST_SENT / watched.length)));
  const step = Math.ceil(rowsOf(batches) / most);
  const samples = watched.map((feature) => valuesOf(feature, batches, step));
  await freeze(client, versionId, JSON.stringify(samples));
}

export function rowsOf(batches: readonly RecordBatch[]): number {
  return batches.reduce((sum, { numRows }) => sum + numRows, 0);
}

/** The column of a batch with this name. */
export function columnNamed(batch: RecordBatch, name: string): Data | undefined {
  const index = batch.schema.fields.findIndex((field) => field.name === name);
  return index === -1 ? undefined : batch.data.children[index];
}

/** The bitmap that says whether a value is there; null where all are. */
export function validityOf(column: Data): Uint8Array | null {
  return column.nullCount === 0 ? null : column.nullBitmap;
}

export function isThere(validity: Uint8Array | null, row: number): boolean {
  return validity === null || ((validity[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
}

export function isText(column: Data): column is Data<Utf8> {
  return column.type instanceof Utf8;
}

/** Puts the numbers of a column into `doubles`, NaN for what is missing: one type of array keeps the loops over them fast. */
export function doublesOf(column: Data, doubles: Float64Array): void {
  const { values, length, type } = column;
  if (type instanceof Int && type.bitWidth === 64) fromLongs(values, length, doubles);
  else doubles.set((values as Float64Array).subarray(0, length));
  const validity = validityOf(column);
  if (validity === null) return;
  for (let row = 0; row < length; row += 1) if (!isThere(validity, row)) doubles[row] = Number.NaN;
}

function fromLongs({ buffer, byteOffset }: ArrayBufferView, length: number, doubles: Float64Array): void {
  const words = new Int32Array(buffer, byteOffset, 2 * length);
  for (let row = 0; row < length; row += 1) {
    doubles[row] = (words[2 * row + 1] ?? 0) * 4_294_967_296 + ((words[2 * row] ?? 0) >>> 0);
  }
}
