/** How often an entity was judged in a window, and how often right. */
export type Cluster = { readonly pairs: number; readonly hits: number };

/** The same of all its entities: sums of m, c, m^2, cm and c^2, of m pairs and c hits each. */
export type Sums = {
  nEntities: number;
  pairs: number;
  hits: number;
  pairs2: number;
  hitsPairs: number;
  hits2: number;
};

/** From so many effective pairs in the rarer outcome on, the variance between entities is estimated rather than bounded. */
const LEAST = 30;

export function sumsOf(clusters: readonly Cluster[]): Sums {
  const sum = (of: (cluster: Cluster) => number): number => clusters.reduce((total, each) => total + of(each), 0);
  return {
    nEntities: clusters.length,
    pairs: sum(({ pairs }) => pairs),
    hits: sum(({ hits }) => hits),
    pairs2: sum(({ pairs }) => pairs ** 2),
    hitsPairs: sum(({ pairs, hits }) => hits * pairs),
    hits2: sum(({ hits }) => hits ** 2),
  };
}

/** The number of independent pairs that those of a window are worth, by Kish: right where outcomes of an entity are all alike. */
export function kishOf({ pairs, pairs2 }: Sums): number {
  return pairs === 0 ? 0 : pairs ** 2 / pairs2;
}

/**
 * The n of an interval of the share of hits: Kish, or where enough is known the cluster-robust one of Rao and Scott (1992),
 * as many of the normal distribution as tell what these tell of Student's t.
 */
export function effectiveFrom(sums: Sums): number {
  const { pairs, hits, pairs2, hitsPairs, hits2 } = sums;
  const p = hits / pairs;
  const bound = kishOf(sums);
  if (pairs2 === pairs || bound * Math.min(p, 1 - p) < LEAST) return bound;
  const spread = hits2 - 2 * p * hitsPairs + p ** 2 * pairs2;
  const designEffect = ((bound / (bound - 1)) * spread) / (pairs * p * (1 - p));
  return (pairs / Math.max(1, designEffect)) * (Z / studentT(bound - 1)) ** 2;
}

const Z = 1.959963984540054;

/** The 97.5 % quantile of Student's t by Abramowitz and Stegun 26.7.5. */
function studentT(degrees: number): number {
  const terms = [
    Z,
    (Z ** 3 + Z) / 4,
    (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / 96,
    (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / 384,
    (79 * Z ** 9 + 776 * Z ** 7 + 1482 * Z ** 5 - 1920 * Z ** 3 - 945 * Z) / 92_160,
  ];
  return terms.reduce((total, term, power) => total + term / degrees ** power, 0);
}
