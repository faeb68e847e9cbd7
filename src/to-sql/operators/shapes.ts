import { asInt32, converted } from '../conversion.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { reproducible } from '../reproducible.ts';
import { axisOf, constantsOf, sizeOf, type Tensor } from '../tensor.ts';
import { isFloat, type Kind, type Term } from '../term.ts';

/** Operators that change the shape of a row, or the type of its values, and leave the values where they are. */
export const shapes: Operators = {
  Identity: (call) => [inputOf(call, 0)],
  Dropout: (call) => [inputOf(call, 0)],
  Cast,
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
  const input = inputOf(call, 0);
  const to = call.attributes.integer('to') ?? 0;
  if (to === INT32)
    return [{ ...input, kind: 'int64', cells: input.cells.map((cell) => asInt32(rounded(call, cell))) }];
  const kind = KINDS[to];
  if (kind === undefined) throw unsupported(call, 'to this type');
  return [
    { ...input, kind, cells: input.cells.map((cell) => converted(isFloat(kind) ? cell : rounded(call, cell), kind)) },
  ];
}

/** A float that becomes a whole number, or one of two. */
function rounded(call: OperatorCall, cell: Term): Term {
  return isFloat(cell.kind) ? reproducible(call, cell) : cell;
}

function Reshape(call: OperatorCall): Tensor[] {
  const input = inputOf(call, 0);
  const given = call.inputs[1];
  const wanted = given === undefined ? call.attributes.integers('shape') : constantsOf(given)?.map(Number);
  if (wanted === undefined || !input.perRow) throw unsupported(call, 'to a shape that is computed');
  const [rows = -1, ...rest] = wanted;
  const open = rest.indexOf(-1);
  const sizes = rest.map((size, axis) => (size === 0 ? (input.shape[axis] ?? 0) : size));
  const known = sizeOf(sizes.filter((size) => size !== -1));
  const shape = open === -1 ? sizes : sizes.with(open, input.cells.length / known);
  // A file that fixes the number of rows names it here; it is one row that is compiled.
  if ((rows === -1 && open !== -1) || sizeOf(shape) !== input.cells.length) throw unsupported(call, 'across rows');
  return [{ ...input, shape }];
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
  const input = inputOf(call, 0);
  const order = call.attributes.integers('perm');
  const moves = order.filter((axis) => (input.shape[axis - 1] ?? 1) !== 1);
  const kept = order[0] === 0 && moves.every((axis, index) => index === 0 || axis > (moves[index - 1] ?? 0));
  if (!kept || !input.perRow) throw unsupported(call, 'that moves values');
  return [{ ...input, shape: order.slice(1).map((axis) => input.shape[axis - 1] ?? 1) }];
}
