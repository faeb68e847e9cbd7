import { statement, type Queryable } from '../postgres/statement.ts';

const scoreEdges = statement<[], { edges: number[] }>('score_edges', 'select edges from pgscore_data.score_bins');

/** Parts of [0, 1] for each of which it is known how many edges lie below it. */
const PARTS = 4096;

/** The bins that probabilities are counted in, as the database has them. Closed on the right, as in numpy.searchsorted(side='left'). */
export class ScoreBins {
  readonly #edges: Float64Array;
  readonly #below: Uint16Array;

  constructor(edges: Float64Array) {
    this.#edges = edges;
    this.#below = new Uint16Array(PARTS + 2);
    for (let part = 0; part < this.#below.length; part += 1) this.#below[part] = edgesBelow(edges, part / PARTS);
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

  /** Bins of so many of these each: bin n is bin floor(n / by) there. */
  coarser(by: number): ScoreBins {
    return new ScoreBins(this.#edges.filter((_, edge) => edge % by === by - 1));
  }

  /** The bin of a probability: how many edges lie below it. */
  of(probability: number): number {
    const part = probability <= 0 ? 0 : probability >= 1 ? PARTS : Math.floor(probability * PARTS);
    return edgesBelow(this.#edges, probability, this.#below[part], this.#below[part + 1]);
  }

  #edge(index: number, beyond: number): number {
    return this.#edges[index] ?? beyond;
  }
}

/** How many edges lie below a value, which is from `low` to `high`. */
function edgesBelow(edges: Float64Array, value: number, low = 0, high = edges.length): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] ?? 1) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Where a margin is counted, as pgscore_data._unit_margin() has it: 0 at 0.5, the order as it is. Of a softsign, as a sigmoid is 1 from 37 on,
 * and margins of thousands are usual.
 */
export function unitMargin(margin: number): number {
  return 0.5 + margin / (1 + Math.abs(margin)) / 2;
}

/** The probabilities of more classes are counted for nobody: a row would fall into too many cells. */
export const MOST_CLASSES = 50;

/** Of probabilities of three or more classes a bin is four of the others, as pgscore_data.claim_bins has it. */
export function classBins(bins: ScoreBins): ScoreBins {
  return bins.coarser(4);
}
