import { previousFloat } from '../../lib/float32.ts';
import { mulberry32, type Random } from '../../lib/random.ts';
import type { Graph, RunOutput } from '../graph.ts';
import { testsOf } from './node-table.ts';
import { FEW } from './tree-machine.ts';
import type { TreeGraph } from './tree-graph.ts';

const ROWS = 512;
const FEW_RUNS = 60;
/** Cells of a row, at most, that are drawn beside a threshold: of thousands of columns a tree asks few. */
const MOST_DRAWS = 400;
const ODD = [0, -0, 1, -1, 1e15, -1e15, 1e-40, Infinity, -Infinity];

/**
 * Whether trees say what ONNX Runtime says, of rows at and beside their thresholds, with NaN and infinities among them:
 * the same sums and labels to the last bit, and probabilities as near as two C libraries agree on an exponential.
 */
export async function haveSameAnswers(trees: TreeGraph, reference: Graph, batch: number | null): Promise<boolean> {
  const random = mulberry32(11);
  for (const rows of runsOf(batch)) {
    const inputs = [{ input: trees.input, data: criticalRows(trees, rows, random) }];
    const [own, ownLabels] = await trees.run(inputs, rows).catch(() => []);
    if (own === undefined) return false;
    const names = [own.name, ...(ownLabels === undefined ? [] : [ownLabels.name])];
    const [theirs, labels] = await reference.run(inputs, rows, names).catch(() => []);
    if (!areNear(numbersOf(own), numbersOf(theirs), trees.tolerance)) return false;
    if (textsOf(ownLabels).join('\n') !== textsOf(labels).join('\n')) return false;
  }
  return true;
}

/** Rows of each run: many together, and where any number may come some by themselves and few together, as they are walked in another way. */
function runsOf(batch: number | null): number[] {
  if (batch === null) return [ROWS, ...Array.from({ length: FEW_RUNS }, (_, run) => 1 + (run % FEW))];
  return Array.from({ length: Math.ceil(ROWS / batch) }, () => batch);
}

function criticalRows(trees: TreeGraph, rows: number, random: Random): Float32Array {
  const data = new Float32Array(rows * trees.input.width);
  const test = testsOf(trees.table);
  // Where a batch is of more rows than are compared, the others stay zero.
  for (let row = 0; row < Math.min(rows, ROWS); row += 1)
    data.set(criticalRow(trees.input.width, test, random), row * trees.input.width);
  return data;
}

function criticalRow(width: number, testOf: ReturnType<typeof testsOf>, random: Random): Float32Array {
  const row = Float32Array.from({ length: width }, () => oneOf(ODD, random) ?? 0);
  for (let draw = 0; draw < Math.min(4 * width, MOST_DRAWS); draw += 1) {
    const test = testOf(random());
    if (test !== undefined) row[test.column] = besideThreshold(test.threshold, random);
  }
  if (random() < 0.3) row[Math.floor(random() * width)] = Number.NaN;
  return row;
}

function besideThreshold(threshold: number, random: Random): number {
  const beside = [threshold, previousFloat(threshold), -previousFloat(-threshold), threshold + random() - 0.5];
  return oneOf(beside, random) ?? threshold;
}

function oneOf<Item>(items: readonly Item[], random: Random): Item | undefined {
  return items[Math.floor(random() * items.length)];
}

function areNear(own: ArrayLike<number>, theirs: ArrayLike<number>, tolerance: number): boolean {
  if (own.length !== theirs.length) return false;
  for (let index = 0; index < own.length; index += 1) {
    const [a, b] = [own[index] ?? Number.NaN, theirs[index] ?? Number.NaN];
    const same = a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= tolerance;
    if (!same) return false;
  }
  return true;
}

function textsOf(output: RunOutput | undefined): string[] {
  return Array.from(output?.data ?? [], String);
}

function numbersOf(output: RunOutput | undefined): ArrayLike<number> {
  return (output?.data ?? [Number.NaN]) as ArrayLike<number>;
}
