import type { Branch, Ensemble } from './ensemble.ts';

/**
 * Bytes of a slot: threshold, offset of the column in a row, address of the slot for low (that for high comes next), flags.
 * tree-walk.as reads them.
 */
const SLOT = 16;
const [THRESHOLD, COLUMN, NEXT, FLAGS] = [0, 4, 8, 12] as const;
/** NaN goes on to low. */
const MISSING_IS_LOW = 1;
/** The row has arrived. Both slots that a leaf leads on to are that leaf again, and in place of the threshold it has its weight, or where its weights are. */
const ARRIVED = 2;

/** A tree as it lies in a table: where its root is, and how many tests a row takes at most. */
type Rooted = { readonly address: number; readonly depth: number };

/** The slots of an ensemble, behind them its weights where a leaf has several, and its roots; addresses count from the start. */
export type NodeTable = {
  readonly bytes: Uint8Array;
  readonly slots: number;
  readonly trees: readonly Rooted[];
  /** Where the addresses of the roots are, four bytes each. */
  readonly rootsAt: number;
  /** That of the deepest tree. */
  readonly depth: number;
  readonly sums: number;
  readonly columns: number;
  readonly treatsMissing: boolean;
};

/** Lays an ensemble out so that a step down is a load, a comparison and an addition, with no jump. */
export function nodeTable(ensemble: Ensemble, columns: number): NodeTable {
  const { branches, sums } = ensemble;
  const slots = slotsOf(ensemble);
  const table = new Table(slots, sums === 1 ? 0 : ensemble.weights.length, ensemble);
  const trees = ensemble.roots.map((root, index) => table.plant(root, index));
  return {
    bytes: table.bytes,
    slots,
    trees,
    rootsAt: table.rootsAt,
    depth: trees.reduce((deepest, { depth }) => Math.max(deepest, depth), 0),
    sums,
    columns,
    treatsMissing: branches.some((branch) => branch?.missingIsLow),
  };
}

/** A root each, two for what a test leads on to, and a pair for each leaf. */
function slotsOf({ roots, branches }: Ensemble): number {
  const leaves = branches.filter((branch) => branch === undefined).length;
  return roots.length + 2 * (branches.length - leaves) + 2 * leaves;
}

/** Gives a test of a table, drawn by a number of [0, 1); undefined where a leaf is drawn. */
export function testsOf({
  bytes,
  slots,
}: NodeTable): (drawn: number) => { column: number; threshold: number } | undefined {
  const [words, floats] = [new Int32Array(bytes.buffer), new Float32Array(bytes.buffer)];
  return (drawn) => {
    const at = Math.floor(drawn * slots) * SLOT;
    if (((words[(at + FLAGS) / 4] ?? 0) & ARRIVED) !== 0) return undefined;
    return { column: (words[(at + COLUMN) / 4] ?? 0) / 4, threshold: floats[(at + THRESHOLD) / 4] ?? 0 };
  };
}

class Table {
  readonly bytes: Uint8Array;
  readonly #ensemble: Ensemble;
  readonly #floats: Float32Array;
  readonly #words: Int32Array;
  readonly rootsAt: number;
  readonly #weightsAt: number;
  #used = 0;

  constructor(slots: number, weights: number, ensemble: Ensemble) {
    this.#weightsAt = slots * SLOT;
    this.rootsAt = this.#weightsAt + 4 * weights;
    const buffer = new ArrayBuffer(this.rootsAt + 4 * ensemble.roots.length);
    this.bytes = new Uint8Array(buffer);
    this.#floats = new Float32Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#ensemble = ensemble;
    if (weights > 0) this.#floats.set(ensemble.weights, this.#weightsAt / 4);
  }

  /** Lays down a tree, level by level, so that those near the root lie together. */
  plant(root: number, index: number): Rooted {
    const address = this.#take(1);
    this.#words[this.rootsAt / 4 + index] = address;
    let [depth, level] = [0, [{ node: root, at: address }]];
    for (;;) {
      const below = level.flatMap(({ node, at }) => this.#writeNode(node, at));
      if (below.length === 0) return { address, depth };
      [depth, level] = [depth + 1, below];
    }
  }

  #writeNode(node: number, at: number): { node: number; at: number }[] {
    const branch = this.#ensemble.branches[node];
    const next = this.#take(2);
    if (branch === undefined) {
      for (const slot of [at, next, next + SLOT]) this.#writeLeaf(slot, node, next);
      return [];
    }
    this.#writeBranch(at, branch, next);
    return [
      { node: branch.low, at: next },
      { node: branch.high, at: next + SLOT },
    ];
  }

  #writeBranch(at: number, { threshold, column, missingIsLow }: Branch, next: number): void {
    this.#floats[(at + THRESHOLD) / 4] = threshold;
    this.#write(at, 4 * column, next, missingIsLow ? MISSING_IS_LOW : 0);
  }

  #writeLeaf(at: number, node: number, next: number): void {
    const { sums, weights } = this.#ensemble;
    if (sums === 1) this.#floats[(at + THRESHOLD) / 4] = weights[node] ?? 0;
    else this.#words[(at + THRESHOLD) / 4] = this.#weightsAt + 4 * sums * node;
    this.#write(at, 0, next, ARRIVED);
  }

  #write(at: number, column: number, next: number, flags: number): void {
    this.#words[(at + COLUMN) / 4] = column;
    this.#words[(at + NEXT) / 4] = next;
    this.#words[(at + FLAGS) / 4] = flags;
  }

  #take(slots: number): number {
    const address = this.#used;
    this.#used += slots * SLOT;
    return address;
  }
}
