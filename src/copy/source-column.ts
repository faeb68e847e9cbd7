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
  '_int2',
  '_int4',
  '_int8',
  '_text',
  'vector',
] as const;

export type SqlType = (typeof SQL_TYPES)[number];

/** Whether values of the type with this name can be decoded as a feature. */
export function isSqlType(name: string): name is SqlType {
  return SQL_TYPES.some((type) => type === name);
}

/** A column whose bytes pass through undecoded, whatever its type. */
type PassedColumn = { name: string; role: 'key' | 'event_time' | 'segment' | 'hash' | 'split' };

/** A column that the model reads. `width` is the number of elements of an array, 1 for a scalar, 0 for any. */
export type FeatureColumn = {
  name: string;
  role: 'feature';
  type: SqlType;
  width: number;
  /** Of an array of several dimensions: their sizes, null for any. */
  shape?: readonly (number | null)[];
};

/** One column of the COPY stream, in the order of its select list. */
export type SourceColumn = PassedColumn | FeatureColumn;

export type BatchLimits = {
  /** Rows of a full batch. */
  readonly rows: number;
  /** A batch ends early with the row that takes it past this many bytes; a longer text or array is not read at all. */
  readonly bytes: number;
};

/** For reads that name no limits; scorers go by --batch-rows. Between 4,096 and 32,768 rows nothing measurable changes but the memory. */
export const BATCH_LIMITS: BatchLimits = { rows: 16_384, bytes: 16 * 1024 * 1024 };

/** Rows for which arrays are allocated at once, so that fixed widths alone can't pass the limit. */
export function batchCapacity(columns: readonly SourceColumn[], limits: BatchLimits): number {
  let rowBytes = 0;
  for (const column of columns) rowBytes += column.role === 'feature' ? 8 * column.width : 8;
  return Math.max(1, Math.min(limits.rows, Math.floor(limits.bytes / Math.max(1, rowBytes))));
}
