import { negated } from '../functions.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { postTransform, chosen, labelOfLargest, labelsOf } from '../classifiers.ts';
import { weightedSum, weightedSums, sum, SUM_OF_COLUMNS } from '../sums.ts';
import { columns, perRow, elementwise, constantsOf, type Tensor } from '../tensor.ts';
import { bool, build, constant, type Term, isFloat, approximate } from '../term.ts';
import { rounded } from '../reproducible.ts';
import { asFloat32 } from '../conversion.ts';

export const linear: Operators = { LinearClassifier, LinearRegressor, MatMul, Gemm, SVMRegressor };

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

const float64 = build('float64');
const number = (value: number) => constant('float64', value);

/** A weighted sum of how near a row is to each support vector. */
function SVMRegressor(call: OperatorCall): Tensor[] {
  const { attributes } = call;
  const cells = inputOf(call, 0).cells.map((cell) => rounded(asFloat32(cell)));
  const weights = attributes.floats('coefficients');
  const rho = attributes.floats('rho')[0] ?? 0;
  const isPlain = (attributes.text('post_transform') ?? 'NONE') === 'NONE' && attributes.integer('one_class') !== 1;
  const count = attributes.integer('n_supports') ?? 0;
  if (!isPlain || weights.length !== (count > 0 ? count : cells.length)) throw unsupported(call, 'of this kind');
  if (count === 0) return [columns([weightedSum('float32', cells, weights, rho)])];
  const near = kernels(call, cells, count);
  return [columns([weightedSum('float32', near, weights, rho)])];
}

function kernels(call: OperatorCall, cells: readonly Term[], count: number): Term[] {
  const { attributes } = call;
  const [gamma = 1] = attributes.floats('kernel_params');
  const all = attributes.floats('support_vectors');
  if (attributes.text('kernel_type') !== 'RBF' || all.length !== count * cells.length)
    throw unsupported(call, 'with another kernel than RBF');
  call.spend(all.length);
  const vectors = Array.from({ length: count }, (_, index) =>
    all.slice(index * cells.length, (index + 1) * cells.length),
  );
  noteVectors(call, cells, vectors);
  const size = sum(
    'float64',
    cells.map((cell) => float64`${cell} * ${cell}`),
  );
  // The square of a distance is that of the row, less twice the product, and that of the vector.
  const twice = vectors.map((vector) => vector.map((value) => 2 * gamma * value));
  const offsets = vectors.map((vector) => -gamma * vector.reduce((total, value) => total + value * value, 0));
  return weightedSums('float64', cells, twice, offsets).map((products) => {
    const power = float64`least(${products} - ${number(gamma)} * ${size}, ${number(0)})`;
    return approximate(nearness(size, power), SUM_OF_COLUMNS);
  });
}

/** A row that is far from all vectors is near to none. */
function nearness(size: Term, power: Term): Term {
  const [far, infinite] = [number(1e30), number(Infinity)];
  return build('float32')`case when ${size} < ${far} then pg_catalog.exp(greatest(${power}, ${number(-700)}))
    when ${size} <= ${infinite} then ${number(0)} else ${size} end`;
}

/** Rows lie where support vectors do. */
function noteVectors({ critical }: OperatorCall, cells: readonly Term[], vectors: readonly number[][]): void {
  cells.forEach((cell, column) => {
    const values = vectors.map((vector) => vector[column] ?? 0);
    critical.addRange(cell, Math.min(...values), Math.max(...values));
  });
}
