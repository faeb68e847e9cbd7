import { compare } from '../comparison.ts';
import { absolute, largest, negated, squareRoot } from '../functions.ts';
import { chosen, firstEqual } from '../labels.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { exactly } from '../reproducible.ts';
import { sum, SUM_OF_COLUMNS } from '../sums.ts';
import { axisOf, constantsOf, perRow, type Tensor } from '../tensor.ts';
import { approximate, build, constant, isFloat, type Kind, type Term } from '../term.ts';

type Reduction = (kind: Kind, row: readonly Term[]) => Term;

export const reductions: Operators = {
  ReduceSum: reducing(sum),
  ReduceMean: reducing(
    (kind, row) => build(kind, { propagates: true })`${sum(kind, row)} / ${constant('float64', row.length)}`,
  ),
  ReduceMax: reducing((_, row) => extreme(row)),
  ReduceMin: reducing((_, row) => negated(extreme(row.map(negated)))),
  ReduceL1: reducing((kind, row) => sum(kind, row.map(absolute))),
  ReduceSumSquare: reducing(squares),
  ReduceL2: reducing((kind, row) => squareRoot(kind, squares(kind, row))),
  ArgMax: (call) => [position(call, (row) => row)],
  ArgMin: (call) => [position(call, (row) => row.map(negated))],
};

function squares(kind: Kind, row: readonly Term[]): Term {
  const squared = row.map((value) => build(kind, { propagates: true })`${exactly(value)} * ${exactly(value)}`);
  return approximate(sum(kind, squared), SUM_OF_COLUMNS);
}

/** One after the other: a NaN that comes first stays, any other is passed over. */
function extreme(row: readonly Term[]): Term {
  const [first, ...others] = row.map(exactly);
  if (first === undefined) return constant('float32', -Infinity);
  return others.reduce((best, value) => choice(compare(value, '>', best), value, best), first);
}

function choice(condition: Term, value: Term, best: Term): Term {
  return build(value.kind, { picks: true })`case when ${condition} then ${value} else ${best} end`;
}

function reducing(reduction: Reduction) {
  return (call: OperatorCall): Tensor[] => {
    const input = inputOf(call, 0);
    if (!isFloat(input.kind)) throw unsupported(call, `of ${input.kind}`);
    const axes = axesOf(call, input);
    const { rows, shape } = grouped(call, input, axes);
    return [{ ...input, shape, cells: rows.map((row) => reduction(input.kind, row)) }];
  };
}

/** All axes but the rows' where none are named, which would reduce the rows too. */
function axesOf(call: OperatorCall, input: Tensor): number[] {
  const given = call.inputs[1];
  const listed = given === undefined ? call.attributes.integers('axes') : (constantsOf(given) ?? []).map(Number);
  if (listed.length === 0) throw unsupported(call, 'over all rows');
  return listed.map((axis) => axisOf(input, axis));
}

/** The cells that are reduced to one, for each cell of the result: the last axes only. */
function grouped(call: OperatorCall, { shape, cells }: Tensor, axes: readonly number[]) {
  const first = shape.length - axes.length;
  if (axes.some((axis) => axis < first || axis < 0)) throw unsupported(call, 'over other axes than the last');
  const size = shape.slice(first).reduce((product, length) => product * length, 1);
  const rows = Array.from({ length: cells.length / size }, (_, row) => cells.slice(row * size, (row + 1) * size));
  const kept = call.attributes.integer('keepdims') === 0 ? [] : axes.map(() => 1);
  return { rows, shape: [...shape.slice(0, first), ...kept] };
}

function position(call: OperatorCall, ordered: (row: readonly Term[]) => readonly Term[]): Tensor {
  const input = inputOf(call, 0);
  if (call.attributes.integer('select_last_index') === 1) throw unsupported(call, 'that takes the last of equals');
  const axis = axisOf(input, call.attributes.integer('axis') ?? 0);
  const { rows, shape } = grouped(call, input, [axis]);
  const cells = rows.map((row) => {
    const values = ordered(row.map(exactly));
    const places = row.map((_, index) => constant('int64', BigInt(index)));
    return chosen(firstEqual('int64', places, values, largest(values)));
  });
  return perRow('int64', shape, cells);
}
