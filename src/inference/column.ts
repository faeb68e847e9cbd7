import { DataType, Type, type Data, type RecordBatch } from 'apache-arrow';
import { PgscoreError } from '../errors.ts';
import type { Feature, TensorType } from './signature.ts';

type NumberValues = Uint8Array | Int32Array | BigInt64Array | Float32Array | Float64Array;

/** The column of a batch behind a feature, as the bare arrays that Arrow holds. */
type Column = NumberColumn | TextColumn | ArrayColumn;

/** `values` are row-major, `width` to a row. */
export type NumberColumn = ColumnRows & { readonly kind: Exclude<ColumnKind, 'text'>; readonly values: NumberValues };

export type TextColumn = ColumnRows & {
  readonly kind: 'text';
  readonly bytes: Uint8Array;
  /** Row i is bytes[offsets[i] .. offsets[i + 1]]. */
  readonly offsets: Int32Array;
};

/** Arrays of any length, or of texts. Row i has the elements lists[i] .. lists[i + 1]. */
export type ArrayColumn = {
  readonly kind: 'array';
  readonly elements: NumberColumn | TextColumn;
  readonly lists: Int32Array;
  readonly nulls: readonly number[];
};

type ColumnRows = {
  readonly width: number;
  /** Rows that are NULL, in order. */
  readonly nulls: readonly number[];
};

/**
 * Finds a feature's column by name. Key columns pass through as raw bytes, of which a feature can't be made: one of the
 * same name is passed over.
 * @throws PgscoreError feature_column_missing, feature_column_mistyped
 */
export function columnOf(batch: RecordBatch, feature: Feature): Column {
  const index = batch.schema.fields.findIndex(({ name, typeId }) => name === feature.name && typeId !== Type.Binary);
  const data = batch.data.children[index];
  if (data === undefined) {
    throw new PgscoreError('feature_column_missing', `no column for the feature '${feature.name}' of the model`, {
      remedy: 'Name a source with a column of that name, or map one to it with column_map.',
    });
  }
  return readColumn(data, feature);
}

function readColumn(data: Data, feature: Feature): Column {
  const nulls = nullRows(data);
  if (DataType.isList(data.type)) return arrayColumn(data, feature, nulls);
  return elementColumn(data, feature, nulls);
}

function arrayColumn(data: Data, feature: Feature, nulls: readonly number[]): ArrayColumn {
  const [child] = data.children;
  if (child === undefined) throw noFeature(feature);
  return { kind: 'array', elements: elementColumn(child, feature, []), lists: data.valueOffsets, nulls };
}

function elementColumn(data: Data, feature: Feature, nulls: readonly number[]): NumberColumn | TextColumn {
  if (data.typeId === Type.Utf8) {
    return { kind: 'text', width: 1, nulls, bytes: data.values, offsets: data.valueOffsets };
  }
  const { type } = data;
  const list = DataType.isFixedSizeList(type);
  const elements = list ? data.children[0] : data;
  const kind = elements === undefined ? undefined : numberKind(elements);
  if (elements === undefined || kind === undefined) throw noFeature(feature);
  return { kind, width: list ? type.listSize : 1, nulls, values: elements.values };
}

function noFeature({ name }: Feature): PgscoreError {
  return new PgscoreError('feature_column_mistyped', `the column of '${name}' holds no numbers or texts`, {
    remedy: 'Features are numbers, booleans, texts, or arrays of numbers or texts.',
  });
}

/** A boolean comes as Uint8, 0 or 1, which is how a bool tensor lies in memory. */
function numberKind({ typeId, type }: Data): Exclude<ColumnKind, 'text'> | undefined {
  if (typeId === Type.Float) return type.ArrayType === Float32Array ? 'float32' : 'float64';
  if (typeId !== Type.Int) return undefined;
  if (type.ArrayType === Uint8Array) return 'bool';
  return type.ArrayType === Int32Array ? 'int32' : 'int64';
}

function nullRows({ length, nullCount, nullBitmap, offset }: Data): number[] {
  if (nullCount === 0) return [];
  const rows: number[] = [];
  for (let row = 0; row < length; row += 1) {
    const bit = row + offset;
    if (((nullBitmap[bit >> 3] ?? 0) & (1 << (bit & 7))) === 0) rows.push(row);
  }
  return rows;
}

/** What a column of a batch holds: int2 and int4 come as int32, numeric as float64, every text and enum as text. */
export type ColumnKind = 'bool' | 'int32' | 'int64' | 'float32' | 'float64' | 'text';

/**
 * exact: every value arrives as it is. rounded: to the nearest value of the feature's type, as numpy's astype does; past
 * its range the row is bad. checked: a value that the feature's type can't hold exactly makes the row bad.
 */
type Cast = 'exact' | 'rounded' | 'checked';

/** The cast of a column to a feature; a pair that is missing is refused, by `sql/sources/feature_columns.sql` before the service sees it. Text never becomes a number, nor a number text. */
export const CASTS: Record<TensorType, Partial<Record<ColumnKind, Cast>>> = {
  float32: { bool: 'exact', int32: 'rounded', int64: 'rounded', float32: 'exact', float64: 'rounded' },
  float64: { bool: 'exact', int32: 'exact', int64: 'rounded', float32: 'exact', float64: 'exact' },
  int32: { bool: 'exact', int32: 'exact', int64: 'checked', float32: 'checked', float64: 'checked' },
  int64: { bool: 'exact', int32: 'exact', int64: 'exact', float32: 'checked', float64: 'checked' },
  bool: { bool: 'exact', int32: 'checked', int64: 'checked' },
  string: { text: 'exact' },
};

/**
 * The cast of a column of `kind` with `width` elements a row, 0 for any number, to a feature.
 * @throws PgscoreError feature_column_mistyped
 */
export function castOf(feature: Feature, kind: ColumnKind, width: number): Cast {
  const cast = CASTS[feature.type][kind];
  if (cast === undefined) throw mistyped(feature, `is ${kind}`, remedyFor(feature, kind));
  if (width === feature.width) return cast;
  const shape = width === 1 ? 'is a single value' : `is an array of ${width === 0 ? 'any length' : width}`;
  throw mistyped(feature, shape, 'Name a column of that shape for the feature.');
}

function mistyped({ name, type, width }: Feature, is: string, remedy: string): PgscoreError {
  const takes = width === 1 ? type : `an array of ${width === 0 ? 'any number of' : width} ${type}`;
  return new PgscoreError(
    'feature_column_mistyped',
    `the column of feature '${name}' ${is}, the model takes ${takes}`,
    {
      remedy,
    },
  );
}

function remedyFor({ name, type }: Feature, kind: ColumnKind): string {
  if (type === 'string') return `Score a view that has "${name}" as text, written as it was in training.`;
  if (kind === 'text') return `Score a view that has "${name}" as a number, such as "${name}"::float8.`;
  return `Score a view that casts "${name}" to ${type === 'bool' ? 'boolean' : 'a number'}.`;
}
