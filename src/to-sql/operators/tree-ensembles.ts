import { converted } from '../conversion.ts';
import { largest, negated, originOf, sigmoid } from '../functions.ts';
import { chosen, labelOfLargest, labelsOf, postTransform } from '../classifiers.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { exactly } from '../reproducible.ts';
import { sum } from '../sums.ts';
import { columns, perRow, type Tensor } from '../tensor.ts';
import { bool, build, constant, type Term } from '../term.ts';
import { passingShares, treesTerm, type Given } from '../trees/tree-term.ts';
import { readTrees, realNumbers, leavesOf, type Tree } from '../trees/read-trees.ts';

export const treeEnsembles: Operators = { TreeEnsembleClassifier, TreeEnsembleRegressor };

const float32 = build('float32');

function givenTo(call: OperatorCall, trees: readonly Tree[]): Given {
  return { columns: inputColumns(call), shares: passingShares(trees) };
}

/** The columns that the trees test: an ensemble of floats takes integers as floats, one of doubles takes doubles. */
function inputColumns(call: OperatorCall): Term[] {
  const { cells, kind } = inputOf(call, 0);
  return kind === 'float64' ? [...cells] : cells.map((cell) => converted(cell, 'float32'));
}

function TreeEnsembleRegressor(call: OperatorCall): Tensor[] {
  const { attributes } = call;
  const trees = readTrees(call, 'target');
  const given = givenTo(call, trees);
  const count = attributes.integer('n_targets') ?? 1;
  const bases = realNumbers(call, 'base_values');
  const transform = attributes.text('post_transform');
  const scores = Array.from({ length: count }, (_, target) => {
    const total = aggregated(call, trees, target, given);
    const base = bases.length === count ? bases[target] : undefined;
    return base === undefined || base === 0 ? total : sum('float32', [total, constant('float32', base)]);
  });
  // ONNX Runtime transforms a single target only where the transform is PROBIT.
  const applied = count === 1 && transform !== 'PROBIT' ? 'NONE' : transform;
  return [columns(postTransform(applied)(scores))];
}

function aggregated(call: OperatorCall, trees: readonly Tree[], target: number, given: Given): Term {
  const how = call.attributes.text('aggregate_function') ?? 'SUM';
  if (how === 'SUM') return treesTerm(call, trees, target, given);
  if (how === 'AVERAGE') {
    return build('float32', {
      range: 'finite',
    })`${treesTerm(call, trees, target, given)} / ${constant('float64', trees.length)}`;
  }
  const saying = trees.filter((tree) => leavesOf(tree).some(({ weights }) => weights.has(target)));
  if (saying.length === 0) return constant('float32', 0);
  if (!saying.every((tree) => alwaysSays(tree, target)))
    throw unsupported(call, `with ${how} of leaves without a value`);
  const terms = saying.map((tree) => treesTerm(call, [tree], target, given));
  return how === 'MAX' ? largest(terms) : negated(largest(terms.map(negated)));
}

function alwaysSays(tree: Tree, target: number): boolean {
  return leavesOf(tree).every(({ weights }) => weights.has(target));
}

function TreeEnsembleClassifier(call: OperatorCall): Tensor[] {
  const labels = labelsOf(call, 'classlabels_strings', 'classlabels_int64s');
  const trees = readTrees(call, 'class');
  const given = givenTo(call, trees);
  if (labels.length < 2) throw unsupported(call, 'with fewer than two classes');
  const totals = labels.map((_, target) => treesTerm(call, trees, target, given));
  if (labels.length === 2) return twoClasses(call, labels, trees, totals);
  const bases = realNumbers(call, 'base_values');
  const scores = totals.map((total, target) => sum('float32', [total, constant('float32', bases[target] ?? 0)]));
  return [labelOfLargest(labels, scores), columns(postTransform(call.attributes.text('post_transform'))(scores))];
}

/** Two classes are often distinguished by the weights of one, whose sum stands for the second. */
function twoClasses(
  call: OperatorCall,
  labels: readonly Term[],
  trees: readonly Tree[],
  totals: readonly Term[],
): Tensor[] {
  const classes = new Set(call.attributes.integers('class_ids'));
  const bases = realNumbers(call, 'base_values');
  if (classes.has(1) && !trees.some((tree) => alwaysSays(tree, 1)))
    throw unsupported(call, 'with leaves without a value');
  if (bases.length > 2) throw unsupported(call, 'with more base values than classes');
  const [first, second] = totals as [Term, Term];
  const based = (index: number) => sum('float32', [first, constant('float32', bases[index] ?? 0)]);
  if (!classes.has(1) && bases.length < 2) return oneSum(call, labels, based(0));
  return bothSums(call, labels, classSums(classes, bases.length, based, second));
}

/**
 * ONNX Runtime takes a class without weights for one without a score, its base value notwithstanding; and of two base
 * values, where the second class has weights, it adds the second to the sum of the first class and mirrors the result.
 */
function classSums(classes: ReadonlySet<number>, bases: number, based: (index: number) => Term, second: Term): Term[] {
  const none = constant('float32', 0);
  if (!classes.has(1)) return [based(0), none];
  if (bases < 2) return [classes.has(0) ? based(0) : none, second];
  return [classes.has(0) ? negated(based(1)) : none, based(1)];
}

function bothSums(call: OperatorCall, labels: readonly Term[], scores: readonly Term[]): Tensor[] {
  const probabilities = postTransform(call.attributes.text('post_transform'))(scores);
  return [labelAbove(labels, scores[1] as Term, 0), columns(probabilities)];
}

function oneSum(call: OperatorCall, labels: readonly Term[], score: Term): Tensor[] {
  const transform = call.attributes.text('post_transform');
  if (transform === 'PROBIT') throw unsupported(call, 'with PROBIT of one class');
  const allPositive = realNumbers(call, 'class_weights').every((weight) => weight >= 0);
  const label = labelAbove(labels, score, allPositive ? 0.5 : 0);
  return [label, columns(sides(transform, score, allPositive))];
}

function sides(transform: string | undefined, score: Term, allPositive: boolean): Term[] {
  if (transform === 'LOGISTIC') return [sigmoid('float32', negated(score)), sigmoid('float32', score)];
  if (!allPositive) return [negated(score), score];
  return [build('float32', { range: 'finite', origin: originOf(score) })`'1' - ${score}`, score];
}

function labelAbove(labels: readonly Term[], score: Term, limit: number): Tensor {
  const [negative, positive] = labels as [Term, Term];
  const above = bool`${exactly(score)} > ${constant('float64', limit)}`;
  const label = { ...float32`case when ${above} then ${positive} else ${negative} end`, kind: positive.kind };
  return perRow(label.kind, [], [chosen({ ...label, traits: { picks: true } })]);
}
