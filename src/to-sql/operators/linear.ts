import { negated } from '../functions.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { postTransform } from '../post-transform.ts';
import { weightedSum, weightedSums, sum } from '../sums.ts';
import { columns, perRow, elementwise, constantsOf, type Tensor } from '../tensor.ts';
import { bool, build, constant, type Term, isFloat } from '../term.ts';
import { chosen, labelOfLargest, labelsOf } from '../labels.ts';
import { rounded } from '../reproducible.ts';

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

/** A column that is weighed by w mostly moves a sum by no more than some units. */
const MOST_MOVED = 2;

function noteWeights({ critical }: OperatorCall, cells: readonly Term[], weights: readonly number[][]): void {
  cells.forEach((cell, index) => {
    const most = MOST_MOVED / Math.max(...weights.map((own) => Math.abs(own[index] ?? 0)));
    if (Number.isFinite(most)) critical.addLikelyRange(cell, -most, most);
  });
}

function linearScores(call: OperatorCall, targets: number): Term[] {
  const { cells } = inputOf(call, 0);
  const coefficients = call.attributes.floats('coefficients');
  const intercepts = call.attributes.floats('intercepts');
  if (coefficients.length !== targets * cells.length) throw unsupported(call, 'with coefficients for other columns');
  const rows = Array.from({ length: targets }, (_, target) =>
    coefficients.slice(target * cells.length, (target + 1) * cells.length),
  );
  noteWeights(call, cells, rows);
  const [first = [], second = []] = rows;
  const mirrored =
    targets === 2 &&
    first.every((weight, index) => weight === -(second[index] ?? 0)) &&
    intercepts[0] === -(intercepts[1] ?? 0);
  if (mirrored) {
    const score = weightedSum('float32', cells, second, intercepts[1] ?? 0);
    return [negated(score), score];
  }
  return weightedSums('float32', cells, rows, intercepts);
}

export const products: Operators = { MatMul, Gemm };

function MatMul(call: OperatorCall): Tensor[] {
  return [product(call, 1, false)];
}

function Gemm(call: OperatorCall): Tensor[] {
  const { attributes } = call;
  if ((attributes.integer('transA') ?? 0) !== 0) throw unsupported(call, 'of the transposed rows');
  const made = product(call, attributes.float('alpha') ?? 1, attributes.integer('transB') === 1);
  const added = call.inputs[2];
  if (added === undefined) return [made];
  if ((attributes.float('beta') ?? 1) !== 1) throw unsupported(call, 'with a beta other than 1');
  return [elementwise(call.op, [made, added], (a, b) => sum(a.kind, [a, b]))];
}

/** A row of columns times a constant matrix, or a constant column. */
function product(call: OperatorCall, scale: number, transposed: boolean): Tensor {
  const [rows, matrix] = [inputOf(call, 0), inputOf(call, 1)];
  const weights = constantsOf(matrix)?.map(Number);
  const [first = 0, second = 1] = matrix.shape;
  const [inner, outer] = transposed ? [second, first] : [first, second];
  const fits = rows.perRow && rows.shape.length === 1 && matrix.shape.length <= 2 && rows.cells.length === inner;
  if (weights === undefined || !fits || !isFloat(rows.kind))
    throw unsupported(call, 'of other than a row and a constant matrix');
  const ofEach = Array.from({ length: outer }, (_, column) =>
    rows.cells.map((__, row) => scale * (weights[transposed ? column * inner + row : row * outer + column] ?? 0)),
  );
  call.spend(rows.cells.filter(({ traits }) => traits.indicates === undefined).length * outer);
  noteWeights(call, rows.cells, ofEach);
  const cells = weightedSums(rows.kind, rows.cells.map(rounded), ofEach, []);
  return perRow(rows.kind, matrix.shape.length === 1 ? [] : [outer], cells);
}
