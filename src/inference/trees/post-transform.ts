import { floatsOf, integersOf, labelsAttribute, textAttribute } from '../../onnx/attributes.ts';
import type { GraphNode } from '../../onnx/outline.ts';
import type { Weights } from './ensemble.ts';

/** What is made of the sums of an ensemble, as ONNX Runtime makes it: in float32, each step rounded. */
export type Finish = {
  readonly weights: Weights;
  /** Columns of the output. */
  readonly width: number;
  /** Turns the sums of a row, from `at` on, into what the output says of it, in place where the widths are the same. */
  readonly write: (sums: Float32Array, rows: number, trees: number) => Float32Array;
  /** A row of two classes is of the second where its last sum, with this base, is above the limit. */
  readonly second?: { readonly base: number; readonly limit: number };
  /** How far float32 may be off where an exponential is taken, which C libraries round in ways of their own; else nothing. */
  readonly tolerance: number;
};

const { fround } = Math;
/** Two units in the last place of a probability near 1. */
const TOLERANCE = 1.2e-7;

/** How the output of an ensemble is finished, or undefined where that is left to ONNX Runtime. */
export function finishOf(node: GraphNode): Finish | undefined {
  return node.op === 'TreeEnsembleRegressor' ? finishRegressor(node) : finishClassifier(node);
}

/** A single target; ONNX Runtime transforms it only where the transform is PROBIT. */
function finishRegressor(node: GraphNode): Finish | undefined {
  const how = textAttribute(node, 'aggregate_function') ?? 'SUM';
  const targets = new Set(integersOf(node, 'target_ids'));
  const bases = floatsOf(node, 'base_values');
  if ((how !== 'SUM' && how !== 'AVERAGE') || textAttribute(node, 'post_transform') === 'PROBIT') return undefined;
  if (targets.size !== 1 || !targets.has(0) || bases.length > 1) return undefined;
  const base = bases[0] ?? 0;
  const write = (sums: Float32Array, _rows: number, trees: number): Float32Array =>
    sums.map((sum) => (how === 'SUM' ? sum : fround(sum / trees)) + base);
  return { weights: { of: 'target', sums: 1 }, width: 1, write, tolerance: 0 };
}

function finishClassifier(node: GraphNode): Finish | undefined {
  const labels = labelsAttribute(node, 'classlabels_strings', 'classlabels_int64s').length;
  const bases = floatsOf(node, 'base_values');
  const classes = new Set(integersOf(node, 'class_ids'));
  const transform = textAttribute(node, 'post_transform') ?? 'NONE';
  if (labels === 2 && !classes.has(1))
    return bases.length < 2 ? finishOneSum(node, bases[0] ?? 0, transform) : undefined;
  if (labels === 2 && (bases.length > 0 || !allLeavesSay(node, 1))) return undefined;
  const finish = labels < 2 ? undefined : finishSums(labels, bases, transform);
  return labels === 2 && finish !== undefined
    ? { ...finish, second: { base: 0, limit: limitOf(node, classes) } }
    : finish;
}

/** The sum above which ONNX Runtime says the second of two classes: half where only one has weights, and those are shares. */
function limitOf(node: GraphNode, classes: ReadonlySet<number>): number {
  return classes.size === 1 && floatsOf(node, 'class_weights').every((weight) => weight >= 0) ? 0.5 : 0;
}

/** The sum of one class stands for both of two. */
function finishOneSum(node: GraphNode, base: number, transform: string): Finish | undefined {
  const allPositive = floatsOf(node, 'class_weights').every((weight) => weight >= 0);
  const sides =
    transform === 'LOGISTIC' ? logisticSides : transform !== 'NONE' ? undefined : allPositive ? shares : mirrored;
  if (sides === undefined) return undefined;
  const write = (sums: Float32Array, rows: number): Float32Array => {
    const written = new Float32Array(2 * rows);
    for (let row = 0; row < rows; row += 1) sides(fround((sums[row] ?? 0) + base), written, 2 * row);
    return written;
  };
  const second = { base, limit: allPositive ? 0.5 : 0 };
  return {
    weights: { of: 'class', sums: 1 },
    width: 2,
    write,
    second,
    tolerance: transform === 'NONE' ? 0 : TOLERANCE,
  };
}

type Sides = (sum: number, written: Float32Array, at: number) => void;

const logisticSides: Sides = (sum, written, at) => {
  written[at] = logistic(-sum);
  written[at + 1] = logistic(sum);
};
const shares: Sides = (sum, written, at) => {
  written[at] = 1 - sum;
  written[at + 1] = sum;
};
const mirrored: Sides = (sum, written, at) => {
  written[at] = -sum;
  written[at + 1] = sum;
};

function finishSums(width: number, bases: readonly number[], transform: string): Finish | undefined {
  const transformed = TRANSFORMS[transform];
  if (transformed === undefined || (bases.length > 0 && bases.length !== width)) return undefined;
  const write = (sums: Float32Array, rows: number): Float32Array => {
    if (bases.length > 0) sums.forEach((sum, index) => (sums[index] = sum + (bases[index % width] ?? 0)));
    for (let row = 0; row < rows; row += 1) transformed(sums.subarray(row * width, (row + 1) * width));
    return sums;
  };
  return { weights: { of: 'class', sums: width }, width, write, tolerance: transform === 'NONE' ? 0 : TOLERANCE };
}

const TRANSFORMS: Readonly<Record<string, (scores: Float32Array) => void>> = {
  NONE: () => undefined,
  LOGISTIC: (scores) => scores.forEach((score, index) => (scores[index] = logistic(score))),
  SOFTMAX: softmax,
};

function logistic(score: number): number {
  const part = fround(1 / fround(1 + fround(Math.exp(-Math.abs(score)))));
  return score < 0 ? fround(1 - part) : part;
}

function softmax(scores: Float32Array): void {
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  let total = 0;
  for (const [index, score] of scores.entries()) {
    const power = fround(Math.exp(fround(score - top)));
    scores[index] = power;
    total = fround(total + power);
  }
  for (const [index, power] of scores.entries()) scores[index] = power / total;
}

/** Where a leaf has no weight for the second of two classes, ONNX Runtime takes the class for one without a score. */
function allLeavesSay(node: GraphNode, target: number): boolean {
  const said = integersOf(node, 'class_ids').filter((id) => id === target).length;
  const inner = integersOf(node, 'nodes_truenodeids').length;
  return said * 2 >= inner + new Set(integersOf(node, 'nodes_treeids')).size;
}
