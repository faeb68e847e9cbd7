import { compare, isNaNTerm, lowered } from '../comparison.ts';
import { absolute, folded, largest, logSumExp, negated, product, squareRoot } from '../functions.ts';
import { chosen, firstEqual } from '../classifiers.ts';
import { anyInputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { exactly, rounded } from '../reproducible.ts';
import { sum, SUM_OF_COLUMNS } from '../sums.ts';
import { axisOf, constantsOf, placeOf, type Tensor } from '../tensor.ts';
import { approximate, build, constant, isFloat, type Kind, type Term } from '../term.ts';

type Reduction = (kind: Kind, row: readonly Term[]) => Term;

export const reductions: Operators = {
  ReduceSum: reducing(
    (kind, row) => folded(kind, row, (values) => values.reduce((a, b) => a + b, 0)) ?? sum(kind, row),
  ),
  ReduceMean: reducing(
    (kind, row) => build(kind, { propagates: true })`${sum(kind, row)} / ${constant('float64', row.length)}`,
  ),
  ReduceMax: reducing((_, row) => extreme(row)),
  ReduceMin: reducing((_, row) => negated(extreme(row.map(negated)))),
  ReduceL1: reducing((kind, row) => sum(kind, row.map(absolute))),
  ReduceSumSquare: reducing(squares),
  ReduceL2: reducing((kind, row) => squareRoot(kind, squares(kind, row))),
  ReduceLogSumExp: reducing(logSumExp),
  ReduceProd: reducing((_, row) => row.map(rounded).reduce(product)),
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
    const input = anyInputOf(call, 0);
    if (!isFloat(input.kind)) throw unsupported(call, `of ${input.kind}`);
    const { rows, ...rest } = grouped(call, input, axesOf(call, input));
    return [{ ...input, ...rest, cells: rows.map((row) => reduction(input.kind, row)) }];
  };
}

/** Where none are named, all are reduced: those of the rows too. */
function axesOf(call: OperatorCall, input: Tensor): number[] {
  const given = call.inputs[1];
  const listed = given === undefined ? call.attributes.integers('axes') : (constantsOf(given) ?? []).map(Number);
  if (listed.length > 0) return listed.map((axis) => axisOf(input, axis));
  if (input.perRow) throw unsupported(call, 'over all rows');
  return input.shape.map((_, axis) => axis);
}

/** The cells that are reduced to one, for each cell of the result, in their order. */
function grouped(call: OperatorCall, { shape, cells, rowsAt = 0, perRow: rows }: Tensor, axes: readonly number[]) {
  if (axes.some((axis) => axis < 0)) throw unsupported(call, 'over all rows');
  const groups = new Map<string, Term[]>();
  cells.forEach((cell, index) => {
    const key = placeOf(shape, index).filter((_, axis) => !axes.includes(axis));
    const group = groups.get(String(key));
    if (group === undefined) groups.set(String(key), [cell]);
    else group.push(cell);
  });
  const keeps = call.attributes.integer('keepdims') !== 0;
  const left = shape.flatMap((size, axis) => (axes.includes(axis) ? (keeps ? [1] : []) : [size]));
  const at = keeps ? rowsAt : rowsAt - axes.filter((axis) => axis < rowsAt).length;
  return { rows: [...groups.values()], shape: left, ...(rows && { rowsAt: at }) };
}

/** Of the largest. ONNX Runtime takes the first where that is NaN, and passes over any other. */
function firstPlace(values: readonly Term[]): Term {
  const numbers = values.map(lowered);
  const places = values.map((_, index) => constant('int64', BigInt(index)));
  const place = firstEqual('int64', places, numbers, largest(numbers));
  const [first] = values;
  if (first === undefined || numbers[0] === first) return place;
  return build('int64', { picks: true })`case when ${isNaNTerm(first)} then ${constant('int64', 0n)} else ${place} end`;
}

function position(call: OperatorCall, ordered: (row: readonly Term[]) => readonly Term[]): Tensor {
  const input = anyInputOf(call, 0);
  if (call.attributes.integer('select_last_index') === 1) throw unsupported(call, 'that takes the last of equals');
  const axis = axisOf(input, call.attributes.integer('axis') ?? 0);
  const { rows, ...rest } = grouped(call, input, [axis]);
  const cells = rows.map((row) => {
    const place = chosen(firstPlace(ordered(row.map(exactly))));
    return { ...place, traits: { ...place.traits, places: row.length } };
  });
  return { ...input, ...rest, kind: 'int64', cells };
}
