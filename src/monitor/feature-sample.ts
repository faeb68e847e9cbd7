import type { Data, RecordBatch } from 'apache-arrow';
import { columnNamed, doublesOf, isText, isThere, validityOf } from './arrow-column.ts';
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
