import { asFloat32 } from '../conversion.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { rounded } from '../reproducible.ts';
import { SUM_OF_COLUMNS, sum, weightedSum, weightedSums } from '../sums.ts';
import { columns, type Tensor } from '../tensor.ts';
import { approximate, build, constant, type Term } from '../term.ts';

export const vectorMachines: Operators = { SVMRegressor };

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
