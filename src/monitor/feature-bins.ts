import { statement, type Queryable } from '../postgres/statement.ts';
import { firstRoundedTo, lastRoundedTo } from '../lib/float32.ts';
import { CategoryBins, NumberBins } from './value-bins.ts';

/** A feature that is watched: its position in the signature, from 1, and whether it is counted as a number. */
export type WatchedFeature = { readonly feature: number; readonly name: string; readonly kind: 'number' | 'category' };

export type CountedFeature =
  | { readonly feature: number; readonly name: string; readonly bins: NumberBins }
  | { readonly feature: number; readonly name: string; readonly categories: CategoryBins };

/** The frozen bins of a version's features, as the database has them. */
export type FeatureBins = { readonly setId: number; readonly features: readonly CountedFeature[] };

type BinsRow = {
  set_id: number;
  feature: number;
  name: string;
  kind: 'number' | 'category';
  is_float32: boolean;
  low: number | null;
  high: number | null;
  edges: number[] | null;
  categories: string[] | null;
  others: string[] | null;
};

const readBins = statement<[versionId: number], BinsRow>(
  'feature_bins',
  `select b.set_id, b.feature, b.name, b.kind, v.signature #>> array['features', (b.feature - 1)::text, 'type'] = 'float32' as is_float32, b.low, b.high, b.edges, b.categories, b.others
     from pgscore_data.feature_set s join pgscore_data.feature_bins b using (set_id) join pgscore_data.version v using (version_id) where s.version_id = $1 order by b.feature`,
);

/** Memory that the bins which are cached take, in kB, and what those of a number and each known category take of it. */
const MOST_CACHED = 20_000;
const NUMBER = 10;
const CATEGORY = 0.6;

/** The bins of the versions that were scored last. */
export class FeatureBinsCache {
  readonly #cached = new Map<number, FeatureBins>();

  /** The bins of a version; undefined where they are not frozen. `setId` is the set that counts, where that is known. */
  async get(client: Queryable, versionId: number, setId: number | null): Promise<FeatureBins | undefined> {
    const cached = this.#cached.get(versionId);
    this.#cached.delete(versionId);
    const bins = cached !== undefined && cached.setId === setId ? cached : await load(client, versionId);
    if (bins !== undefined) this.#cached.set(versionId, bins);
    this.#forget();
    return bins;
  }

  #forget(): void {
    let size = 0;
    for (const bins of this.#cached.values()) size += sizeOf(bins);
    for (const [versionId, bins] of this.#cached) {
      if (size <= MOST_CACHED || this.#cached.size === 1) return;
      this.#cached.delete(versionId);
      size -= sizeOf(bins);
    }
  }
}

function sizeOf({ features }: FeatureBins): number {
  return features.reduce(
    (sum, feature) => sum + ('bins' in feature ? NUMBER : 1 + CATEGORY * feature.categories.known),
    0,
  );
}

async function load(client: Queryable, versionId: number): Promise<FeatureBins | undefined> {
  const rows = await readBins(client, versionId);
  const [first] = rows;
  return first === undefined ? undefined : { setId: first.set_id, features: rows.map(counted) };
}

function counted(row: BinsRow): CountedFeature {
  const { feature, name, kind, categories, others } = row;
  if (kind === 'number') return { feature, name, bins: row.is_float32 ? float32Bins(row) : numberBins(row) };
  return { feature, name, categories: new CategoryBins(categories ?? [], others) };
}

function numberBins({ low, high, edges }: BinsRow): NumberBins {
  return new NumberBins(low, high, edges ?? []);
}

/**
 * Bins of doubles that count each where its float32 belongs, which is what the model sees of it: a real comes as a float32
 * from a table, and as the decimal that it is written as from JSON.
 */
function float32Bins({ low, high, edges }: BinsRow): NumberBins {
  const begin = (edge: number): number => firstRoundedTo(Math.fround(edge));
  return new NumberBins(
    low === null ? null : begin(low),
    high === null ? null : lastRoundedTo(Math.fround(high)),
    (edges ?? []).map(begin),
  );
}
