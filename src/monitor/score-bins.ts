import { statement } from '../db/statement.ts';
import type { Queryable } from '../db/statement.ts';

const scoreEdges = statement<[], { edges: number[] }>('score_edges', 'select edges from pgscore_data.score_bins');

/** The bins that probabilities are counted in, as the database has them. Closed on the right, as in numpy.searchsorted(side='left'). */
export class ScoreBins {
  readonly #edges: Float64Array;

  constructor(edges: Float64Array) {
    this.#edges = edges;
  }

  static async load(client: Queryable): Promise<ScoreBins> {
    const [row] = await scoreEdges(client);
    if (row === undefined) throw new Error('pgscore_data.score_bins has no row');
    return new ScoreBins(Float64Array.from(row.edges));
  }

  /** How many bins there are: one more than edges. */
  get count(): number {
    return this.#edges.length + 1;
  }

  /** The middle of each bin. */
  get middles(): Float64Array {
    return Float64Array.from({ length: this.count }, (_, bin) => (this.#edge(bin - 1, 0) + this.#edge(bin, 1)) / 2);
  }

  /** The bin of a probability: how many edges lie below it. */
  of(probability: number): number {
    let [low, high] = [0, this.#edges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#edge(middle, 1) < probability) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #edge(index: number, beyond: number): number {
    return this.#edges[index] ?? beyond;
  }
}
