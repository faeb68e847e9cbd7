import { asInt32, converted } from '../conversion.ts';
import { anyInputOf, inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { reproducible } from '../reproducible.ts';
import { axisOf, boundedSize, constantsOf, elementwise, placeOf, sizeOf, type Tensor } from '../tensor.ts';
import { neverNegative } from '../sums.ts';
import { constant, isFloat, ROWS, unwritten, type Kind, type Term } from '../term.ts';

/** Operators that change the shape of a row, or the type of its values, and leave the values where they are. */
export const shapes: Operators = {
  Identity: (call) => [anyInputOf(call, 0)],
  Dropout: (call) => [anyInputOf(call, 0)],
  Cast,
  ConstantOfShape,
  Expand,
  Shape,
  Reshape,
  Flatten,
  Squeeze,
  Unsqueeze,
  Transpose,
};

const INT32 = 6;

const KINDS: Readonly<Record<number, Kind>> = {
  1: 'float32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  11: 'float64',
};

function Cast(call: OperatorCall): Tensor[] {
  const input = anyInputOf(call, 0);
  const to = call.attributes.integer('to') ?? 0;
  if (to === INT32) return [{ ...input, kind: 'int64', cells: input.cells.map((cell) => wholeNumber(call, cell)) }];
  const kind = KINDS[to];
  if (kind === undefined) throw unsupported(call, 'to this type');
  return [
    {
      ...input,
      kind,
      cells: input.cells.map((cell) => converted(isFloat(kind) ? cell : rounded(call, cell, kind), kind)),
    },
  ];
}

/** Of a sum that rounding does not bring below 1, it is known that it is not 0. */
function wholeNumber(call: OperatorCall, cell: Term): Term {
  const { atLeast = 0 } = cell.traits;
  if (atLeast < SURELY_ONE) return asInt32(rounded(call, cell));
  return unwritten(`operator ${call.op} behind an exponential is not compiled: rounding could decide it`, { atLeast });
}

const SURELY_ONE = 1.001;

/** A float that becomes a whole number, or one of two: of what is never negative, rounding makes no zero. */
function rounded(call: OperatorCall, cell: Term, to?: Kind): Term {
  if (!isFloat(cell.kind) || (to === 'bool' && neverNegative(cell))) return cell;
  return reproducible(call, cell);
}

function Reshape(call: OperatorCall): Tensor[] {
  const input = anyInputOf(call, 0);
  const wanted = wantedShape(call);
  if (!input.perRow) return [{ ...input, shape: filled(call, input, wanted.map(Number)) }];
  if (sizeOf(input.shape.slice(0, input.rowsAt ?? 0)) !== 1) throw unsupported(call, 'across rows');
  const rowsAt = placeOfRows(wanted, input);
  const rest = wanted.toSpliced(rowsAt, 1);
  if (rest.includes(ROWS)) throw unsupported(call, 'across rows');
  // A file that fixes the number of rows names it here; it is one row that is compiled.
  if (wanted[rowsAt] === -1 && rest.includes(-1)) throw unsupported(call, 'across rows');
  return [{ ...input, shape: filled(call, input, rest.map(Number)), rowsAt }];
}

/** Where the new shape has the rows: where it says so, or leaves as many open as there are; else first. */
function placeOfRows(wanted: readonly Size[], { cells }: Tensor): number {
  const named = wanted.findIndex((size) => size === ROWS || size === -1);
  if (named <= 0) return 0;
  const leads = wanted.slice(0, named).every((size) => size === 1);
  return leads && (wanted[named] === ROWS || sizeOf(wanted.slice(named + 1).map(Number)) === cells.length) ? named : 0;
}

/** -1 stands for what is left, 0 for the size that the axis has. */
function filled(call: OperatorCall, input: Tensor, wanted: readonly number[]): number[] {
  const sizes = wanted.map((size, axis) => (size === 0 ? (input.shape[axis] ?? 0) : size));
  const open = sizes.indexOf(-1);
  const known = sizeOf(sizes.filter((size) => size !== -1));
  const shape = open === -1 ? sizes : sizes.with(open, input.cells.length / known);
  if (sizeOf(shape) !== input.cells.length) throw unsupported(call, 'across rows');
  return shape;
}

type Size = number | typeof ROWS;

function wantedShape(call: OperatorCall): Size[] {
  const given = call.inputs[1];
  if (given === undefined) return call.attributes.integers('shape');
  return sizesOf(call, given);
}

/** The sizes that a shape of the graph holds. */
function sizesOf(call: OperatorCall, { cells }: Tensor): Size[] {
  return cells.map((cell) => {
    if (cell === ROWS) return ROWS;
    if (cell.constant === undefined) throw unsupported(call, 'to a shape that is computed');
    return Number(cell.constant);
  });
}

/** The shape of a tensor, in which the number of rows stands for itself. */
function Shape(call: OperatorCall): Tensor[] {
  const { shape, perRow: rows, rowsAt = 0 } = anyInputOf(call, 0);
  const sizes = shape.map((size) => constant('int64', BigInt(size)));
  const full = rows ? sizes.toSpliced(rowsAt, 0, ROWS) : sizes;
  const cells = full.slice(call.attributes.integer('start') ?? 0, call.attributes.integer('end'));
  return [{ kind: 'int64', shape: [cells.length], cells, perRow: false }];
}

function ConstantOfShape(call: OperatorCall): Tensor[] {
  const value = call.attributes.tensor('value')?.cells[0] ?? constant('float32', 0);
  return [fullOf(call, anyInputOf(call, 0), value)];
}

function fullOf(call: OperatorCall, wanted: Tensor, value: Term): Tensor {
  const sizes = sizesOf(call, wanted);
  const rowsAt = sizes.indexOf(ROWS);
  const shape = (rowsAt === -1 ? sizes : sizes.toSpliced(rowsAt, 1)).map(Number);
  const cells = Array.from({ length: boundedSize(call.op, shape) }, () => value);
  return { kind: value.kind, shape, cells, perRow: rowsAt !== -1, ...(rowsAt !== -1 && { rowsAt }) };
}

function Expand(call: OperatorCall): Tensor[] {
  const input = anyInputOf(call, 0);
  const to = fullOf(call, anyInputOf(call, 1), constant('float32', 0));
  return [elementwise(call.op, [input, to], (cell) => cell, input.kind)];
}

function Flatten(call: OperatorCall): Tensor[] {
  const input = inputOf(call, 0);
  if (axisOf(input, call.attributes.integer('axis') ?? 1) !== 0) throw unsupported(call, 'across rows');
  return [{ ...input, shape: [input.cells.length] }];
}

function listedAxes(call: OperatorCall): number[] | undefined {
  const given = call.inputs[1];
  if (given !== undefined) return constantsOf(given)?.map(Number);
  return call.attributes.has('axes') ? call.attributes.integers('axes') : undefined;
}

function Squeeze(call: OperatorCall): Tensor[] {
  const input = inputOf(call, 0);
  const axes = listedAxes(call)?.map((axis) => axisOf(input, axis));
  if (axes === undefined || axes.some((axis) => input.shape[axis] !== 1)) throw unsupported(call, 'of the rows');
  return [{ ...input, shape: input.shape.filter((_, axis) => !axes.includes(axis)) }];
}

function Unsqueeze(call: OperatorCall): Tensor[] {
  const input = inputOf(call, 0);
  const axes = listedAxes(call) ?? [];
  const rank = input.shape.length + axes.length + (input.perRow ? 1 : 0);
  const shape: number[] = [...input.shape];
  const own = axes.map((axis) => (axis < 0 ? axis + rank : axis) - (input.perRow ? 1 : 0)).toSorted((a, b) => a - b);
  if (own.some((axis) => axis < 0)) throw unsupported(call, 'before the rows');
  for (const axis of own) shape.splice(axis, 0, 1);
  return [{ ...input, shape }];
}

function Transpose(call: OperatorCall): Tensor[] {
  const input = anyInputOf(call, 0);
  const { perRow: rows, rowsAt = 0, shape, cells } = input;
  const rank = shape.length + (rows ? 1 : 0);
  const given = call.attributes.integers('perm');
  const order = given.length > 0 ? given : Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const own = order.map((axis) => axisOf(input, axis)).filter((axis) => axis >= 0);
  const made = own.map((axis) => shape[axis] ?? 1);
  const moved = cells.map((_, index) => {
    const place = placeOf(made, index);
    return cells[
      own.reduce((at, axis, position) => at + (place[position] ?? 0) * sizeOf(shape.slice(axis + 1)), 0)
    ] as Term;
  });
  return [{ ...input, shape: made, cells: moved, ...(rows && { rowsAt: order.indexOf(rowsAt) }) }];
}
