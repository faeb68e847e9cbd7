import { negated } from '../functions.ts';
import { inputOf, unsupported } from '../operator.ts';
import type { OperatorCall, Operators } from '../operator.ts';
import { postTransform } from '../post-transform.ts';
import { weightedSum } from '../sums.ts';
import { columns, perRow } from '../tensor.ts';
import { bool, build, constant } from '../term.ts';
import type { Term } from '../term.ts';
import { chosen, labelOfLargest, labelsOf } from '../labels.ts';

export const linear: Operators = { LinearClassifier, LinearRegressor };

function LinearClassifier(call: OperatorCall) {
  const { attributes } = call;
  const labels = labelsOf(call, 'classlabels_strings', 'classlabels_ints');
  const targets = attributes.floats('intercepts').length;
  const scores = linearScores(call, targets);
  const transform = postTransform(attributes.text('post_transform'));
  const [score] = scores;
  if (targets > 1 || score === undefined) return [labelOfLargest(labels, scores), columns(transform(scores))];
  if (labels.length !== 2) throw unsupported(call, 'with one score for other than two classes');
  const isPositive = bool`${score} > '0'`;
  const [negative, positive] = labels as [Term, Term];
  const label = build(positive.kind, { picks: true })`case when ${isPositive} then ${positive} else ${negative} end`;
  return [perRow(label.kind, [], [chosen(label)]), columns(bothClasses(attributes.text('post_transform'), score))];
}

/** What is said of two classes from the score of the second; no softmax is taken of one score. */
function bothClasses(transform: string | undefined, score: Term): Term[] {
  if (transform === 'PROBIT') return postTransform(transform)([score]);
  if (transform === 'LOGISTIC') return postTransform(transform)([negated(score), score]);
  return [build('float32')`${constant('float32', 1)} - ${score}`, score];
}

function LinearRegressor(call: OperatorCall) {
  const { attributes } = call;
  const scores = linearScores(call, attributes.integer('targets') ?? 1);
  const name = attributes.text('post_transform');
  const transform = postTransform(name);
  // ONNX Runtime leaves a single value as it is, unless it is a probit.
  return [columns(scores.length > 1 || name === 'PROBIT' ? transform(scores) : scores)];
}

function linearScores(call: OperatorCall, targets: number): Term[] {
  const { cells } = inputOf(call, 0);
  const coefficients = call.attributes.floats('coefficients');
  const intercepts = call.attributes.floats('intercepts');
  if (coefficients.length !== targets * cells.length) throw unsupported(call, 'with coefficients for other columns');
  const rows = Array.from({ length: targets }, (_, target) =>
    coefficients.slice(target * cells.length, (target + 1) * cells.length),
  );
  const [first = [], second = []] = rows;
  const mirrored =
    targets === 2 &&
    first.every((weight, index) => weight === -(second[index] ?? 0)) &&
    intercepts[0] === -(intercepts[1] ?? 0);
  if (mirrored) {
    const score = weightedSum('float32', cells, second, intercepts[1] ?? 0);
    return [negated(score), score];
  }
  return rows.map((weights, target) => weightedSum('float32', cells, weights, intercepts[target] ?? 0));
}
