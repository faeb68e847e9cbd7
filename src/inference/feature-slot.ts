import type { Cells, Feed } from './feed.ts';
import type { RowError } from './row-error.ts';
import type { Feature } from './signature.ts';

/** The place of one feature inside of a feed, and where its bad rows are noted. */
export type FeatureSlot = {
  readonly feature: Feature;
  readonly feed: Feed;
  readonly rows: number;
  readonly reject: (row: number, error: RowError) => void;
};

/** Puts what the version says of a missing value in its place: NaN, a default, or a bad row. */
export function settleMissing(
  { feature, feed, reject }: FeatureSlot,
  row: number,
  element: number,
  what: string,
): void {
  const { name, nulls } = feature;
  const at = row * feed.input.width + feature.position + element;
  const cells: Cells = feed.data;
  if (nulls === 'error') reject(row, { code: 'null_feature', message: `${name} is ${what}`, feature: name });
  else cells[at] = nulls === 'nan' ? Number.NaN : cellOf(feature);
}

function cellOf({ type, default: value = 0 }: Feature): number | bigint | string {
  if (typeof value === 'string') return value;
  return type === 'int64' ? BigInt(value) : Number(value);
}
