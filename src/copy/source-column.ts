/** `pg_type.typname` of what a feature column sends; a domain counts as its base type, every enum as 'enum'. */
const SQL_TYPES = [
  'bool',
  'int2',
  'int4',
  'int8',
  'float4',
  'float8',
  'numeric',
  'text',
  'varchar',
  'bpchar',
  'name',
  'enum',
  '_float4',
  '_float8',
  'vector',
] as const;

export type SqlType = (typeof SQL_TYPES)[number];

/** Whether values of the type with this name can be decoded as a feature. */
export function isSqlType(name: string): name is SqlType {
  return SQL_TYPES.some((type) => type === name);
}

/** A column whose bytes pass through undecoded, whatever its type. */
export type PassedColumn = { name: string; role: 'key' | 'event_time' | 'segment' };

/** A column that the model reads. `width` is the number of elements of a vector, 1 for a scalar. */
export type FeatureColumn = { name: string; role: 'feature'; type: SqlType; width: number };

/** One column of the COPY stream, in the order of its select list. */
export type SourceColumn = PassedColumn | FeatureColumn;
