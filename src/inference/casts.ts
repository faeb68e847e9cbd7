import { PgscoreError } from '../errors.ts';
import type { Feature, TensorType } from './signature.ts';

/** What a column of a batch holds: int2 and int4 come as int32, numeric as float64, every text and enum as text. */
export type ColumnKind = 'bool' | 'int32' | 'int64' | 'float32' | 'float64' | 'text';

/**
 * exact: every value arrives as it is. rounded: to the nearest value of the feature's type, as numpy's astype does; past
 * its range the row is bad. checked: a value that the feature's type can't hold exactly makes the row bad.
 */
export type Cast = 'exact' | 'rounded' | 'checked';

/** The cast of a column to a feature; a pair that is missing is refused. Text never becomes a number, nor a number text. */
export const CASTS: Record<TensorType, Partial<Record<ColumnKind, Cast>>> = {
  float32: { bool: 'exact', int32: 'rounded', int64: 'rounded', float32: 'exact', float64: 'rounded' },
  float64: { bool: 'exact', int32: 'exact', int64: 'rounded', float32: 'exact', float64: 'exact' },
  int32: { bool: 'exact', int32: 'exact', int64: 'checked', float32: 'checked', float64: 'checked' },
  int64: { bool: 'exact', int32: 'exact', int64: 'exact', float32: 'checked', float64: 'checked' },
  bool: { bool: 'exact', int32: 'checked', int64: 'checked' },
  string: { text: 'exact' },
};

/**
 * The cast of a column of `kind` with `width` elements a row to a feature.
 * @throws PgscoreError feature_column_mistyped
 */
export function castOf(feature: Feature, kind: ColumnKind, width: number): Cast {
  const cast = CASTS[feature.type][kind];
  if (cast === undefined) throw mistyped(feature, `is ${kind}`, remedyFor(feature, kind));
  if (width === feature.width) return cast;
  const shape = width === 1 ? 'is a single value' : `is an array of ${width}`;
  throw mistyped(feature, shape, 'Name a column of that shape for the feature.');
}

function mistyped({ name, type, width }: Feature, is: string, remedy: string): PgscoreError {
  const takes = width === 1 ? type : `an array of ${width} ${type}`;
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
