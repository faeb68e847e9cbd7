/**
 * Walks rows down the trees of a node table (node-table.ts has its layout). The build compiles this to WebAssembly with
 * AssemblyScript; tree-machine.ts loads it.
 *
 * Eight walks go side by side: the steps of one wait for memory while those of the others are computed. A step has no
 * jump, as a processor would guess one test in two wrongly. A leaf leads on to itself, so that a walk that has arrived
 * may step on until the others have.
 */

const THRESHOLD: usize = 0;
const COLUMN: usize = 4;
const NEXT: usize = 8;
const FLAGS: usize = 12;
/** A slot has 16 bytes. */
const SLOT_BITS: u32 = 4;
const MISSING_IS_LOW: u32 = 1;
const ARRIVED: u32 = 2;
const LANES: usize = 8;
const FLOAT: usize = 4;

/** Whether a row goes on to high. NaN is neither above a threshold nor at most that: the flag decides. */
@inline
function goesHigh(node: usize, cells: usize, missing: bool): u32 {
  const value = load<f32>(cells + load<u32>(node, COLUMN));
  const threshold = load<f32>(node, THRESHOLD);
  const isNotAtMost = u32(!(value <= threshold));
  if (!missing) return isNotAtMost;
  return select<u32>(u32(value > threshold), isNotAtMost, load<u32>(node, FLAGS) & MISSING_IS_LOW);
}

/** The node that a row comes to from this one: high lies a slot behind low. */
@inline
function step(node: usize, cells: usize, missing: bool): usize {
  return load<u32>(node, NEXT) + (goesHigh(node, cells, missing) << SLOT_BITS);
}

/** Adds the weight of a leaf, or its weights, to a row's sums. */
@inline
function addLeaf(leaf: usize, sums: usize, width: usize, several: bool): void {
  if (!several) {
    store<f32>(sums, load<f32>(sums) + load<f32>(leaf, THRESHOLD));
    return;
  }
  let from: usize = load<u32>(leaf, THRESHOLD);
  const end = from + width;
  do {
    store<f32>(sums, load<f32>(sums) + load<f32>(from));
    sums += FLOAT;
    from += FLOAT;
  } while (from < end);
}

/**
 * Eight rows at a time down one tree.
 *
 * @param root address of the tree's root
 * @param steps taken between two looks whether all rows have arrived
 * @param cells address of the first row's cells
 * @param stride bytes of a row's cells
 * @param sums address of the first row's sums; `end` is that behind the last row's
 * @param width bytes of a row's sums
 */
@inline
function walkRows(
  root: usize, steps: u32, cells: usize, stride: usize, sums: usize, end: usize, width: usize,
  several: bool, missing: bool,
): void {
  do {
    const c0 = cells, c1 = c0 + stride, c2 = c1 + stride, c3 = c2 + stride;
    const c4 = c3 + stride, c5 = c4 + stride, c6 = c5 + stride, c7 = c6 + stride;
    let n0 = root, n1 = root, n2 = root, n3 = root, n4 = root, n5 = root, n6 = root, n7 = root;
    do {
      let level = steps;
      do {
        n0 = step(n0, c0, missing);
        n1 = step(n1, c1, missing);
        n2 = step(n2, c2, missing);
        n3 = step(n3, c3, missing);
        n4 = step(n4, c4, missing);
        n5 = step(n5, c5, missing);
        n6 = step(n6, c6, missing);
        n7 = step(n7, c7, missing);
      } while (--level);
    } while (!haveArrived(n0, n1, n2, n3, n4, n5, n6, n7));
    addLeaf(n0, sums, width, several);
    addLeaf(n1, sums + width, width, several);
    addLeaf(n2, sums + 2 * width, width, several);
    addLeaf(n3, sums + 3 * width, width, several);
    addLeaf(n4, sums + 4 * width, width, several);
    addLeaf(n5, sums + 5 * width, width, several);
    addLeaf(n6, sums + 6 * width, width, several);
    addLeaf(n7, sums + 7 * width, width, several);
    cells += LANES * stride;
    sums += LANES * width;
  } while (sums < end);
}

/**
 * One row down eight trees at a time, in their order: a sum of floats depends on it.
 *
 * @param roots where the address of the first tree's root is; `end` is that behind the last one's
 * @param steps taken between two looks whether the row has arrived in all trees
 * @param cells address of the row's cells
 * @param sums address of the row's sums
 * @param width bytes of the row's sums
 */
@inline
function walkTrees(
  roots: usize, steps: u32, cells: usize, sums: usize, end: usize, width: usize, several: bool, missing: bool,
): void {
  do {
    let n0: usize = load<u32>(roots, 0), n1: usize = load<u32>(roots, 4);
    let n2: usize = load<u32>(roots, 8), n3: usize = load<u32>(roots, 12);
    let n4: usize = load<u32>(roots, 16), n5: usize = load<u32>(roots, 20);
    let n6: usize = load<u32>(roots, 24), n7: usize = load<u32>(roots, 28);
    do {
      let level = steps;
      do {
        n0 = step(n0, cells, missing);
        n1 = step(n1, cells, missing);
        n2 = step(n2, cells, missing);
        n3 = step(n3, cells, missing);
        n4 = step(n4, cells, missing);
        n5 = step(n5, cells, missing);
        n6 = step(n6, cells, missing);
        n7 = step(n7, cells, missing);
      } while (--level);
    } while (!haveArrived(n0, n1, n2, n3, n4, n5, n6, n7));
    addLeaf(n0, sums, width, several);
    addLeaf(n1, sums, width, several);
    addLeaf(n2, sums, width, several);
    addLeaf(n3, sums, width, several);
    addLeaf(n4, sums, width, several);
    addLeaf(n5, sums, width, several);
    addLeaf(n6, sums, width, several);
    addLeaf(n7, sums, width, several);
    roots += LANES * FLOAT;
  } while (roots < end);
}

@inline
function haveArrived(
  n0: usize, n1: usize, n2: usize, n3: usize, n4: usize, n5: usize, n6: usize, n7: usize,
): bool {
  const flags = load<u32>(n0, FLAGS) & load<u32>(n1, FLAGS) & load<u32>(n2, FLAGS) & load<u32>(n3, FLAGS)
    & load<u32>(n4, FLAGS) & load<u32>(n5, FLAGS) & load<u32>(n6, FLAGS) & load<u32>(n7, FLAGS);
  return (flags & ARRIVED) != 0;
}

// Leaves have one weight or several. `Missing`: rows may hold NaN, and a test sends it to low.

export function rowsOne(
  root: usize, steps: u32, cells: usize, stride: usize, sums: usize, end: usize, width: usize,
): void {
  walkRows(root, steps, cells, stride, sums, end, width, false, false);
}

export function treesOne(roots: usize, steps: u32, cells: usize, sums: usize, end: usize, width: usize): void {
  walkTrees(roots, steps, cells, sums, end, width, false, false);
}

export function rowsSeveral(
  root: usize, steps: u32, cells: usize, stride: usize, sums: usize, end: usize, width: usize,
): void {
  walkRows(root, steps, cells, stride, sums, end, width, true, false);
}

export function treesSeveral(roots: usize, steps: u32, cells: usize, sums: usize, end: usize, width: usize): void {
  walkTrees(roots, steps, cells, sums, end, width, true, false);
}

export function rowsOneMissing(
  root: usize, steps: u32, cells: usize, stride: usize, sums: usize, end: usize, width: usize,
): void {
  walkRows(root, steps, cells, stride, sums, end, width, false, true);
}

export function treesOneMissing(roots: usize, steps: u32, cells: usize, sums: usize, end: usize, width: usize): void {
  walkTrees(roots, steps, cells, sums, end, width, false, true);
}

export function rowsSeveralMissing(
  root: usize, steps: u32, cells: usize, stride: usize, sums: usize, end: usize, width: usize,
): void {
  walkRows(root, steps, cells, stride, sums, end, width, true, true);
}

export function treesSeveralMissing(roots: usize, steps: u32, cells: usize, sums: usize, end: usize, width: usize): void {
  walkTrees(roots, steps, cells, sums, end, width, true, true);
}
