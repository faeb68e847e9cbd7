/** How often an entity was judged in a window, and how often right. */
export type Cluster = { readonly pairs: number; readonly hits: number };

/** From so many effective pairs in the rarer outcome on, the variance between entities is estimated rather than bounded. */
const LEAST = 30;

/** The number of independent pairs that clusters are worth, by Kish: right where outcomes of an entity are all alike. */
export function kish(clusters: readonly Cluster[]): number {
  const pairs = sum(clusters, (cluster) => cluster.pairs);
  return pairs === 0 ? 0 : pairs ** 2 / sum(clusters, (cluster) => cluster.pairs ** 2);
}

/** The n of an interval of the share of hits: Kish, or where enough is known the cluster-robust one of Rao and Scott (1992). */
export function effectiveOf(clusters: readonly Cluster[]): number {
  const n = sum(clusters, ({ pairs }) => pairs);
  const p = sum(clusters, ({ hits }) => hits) / n;
  const bound = kish(clusters);
  if (clusters.every(({ pairs }) => pairs === 1) || bound * Math.min(p, 1 - p) < LEAST) return bound;
  const spread = sum(clusters, ({ pairs, hits }) => (hits - pairs * p) ** 2);
  const many = clusters.length;
  const designEffect = ((many / (many - 1)) * spread) / (n * p * (1 - p));
  return n / Math.max(1, designEffect);
}

function sum(clusters: readonly Cluster[], of: (cluster: Cluster) => number): number {
  return clusters.reduce((total, cluster) => total + of(cluster), 0);
}
