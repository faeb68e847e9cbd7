import { asFloat32 } from '../conversion.ts';
import { lookup } from '../lookup.ts';
import { anyInputOf, inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { axisOf, constantsOf, perRow, sizeOf, type Tensor } from '../tensor.ts';
import { bool, constant, type Term } from '../term.ts';

/** Operators that pick columns, or put them side by side. */
export const columnOperators: Operators = { Concat, FeatureVectorizer, ArrayFeatureExtractor, Gather, Slice, Split };

function Concat(call: OperatorCall): Tensor[] {
  const inputs = call.inputs.map((_, index) => anyInputOf(call, index));
  const [first] = inputs;
  if (first === undefined || inputs.some((input) => input.perRow !== first.perRow))
    throw unsupported(call, 'with constants');
  if (inputs.some(({ rowsAt = 0 }) => rowsAt !== (first.rowsAt ?? 0))) throw unsupported(call, 'across rows');
  const axis = axisOf(first, call.attributes.integer('axis') ?? 1);
  if (axis < 0) throw unsupported(call, 'of rows');
  const outer = sizeOf(first.shape.slice(0, axis));
  const cells = Array.from({ length: outer }, (_, block) => inputs.flatMap((input) => blockOf(input, axis, block)));
  const size = inputs.reduce((total, { shape }) => total + (shape[axis] ?? 0), 0);
  return [{ ...first, shape: first.shape.with(axis, size), cells: cells.flat() }];
}

function blockOf({ shape, cells }: Tensor, axis: number, block: number) {
  const size = sizeOf(shape.slice(axis));
  return cells.slice(block * size, (block + 1) * size);
}

function FeatureVectorizer(call: OperatorCall): Tensor[] {
  const widths = call.attributes.integers('inputdimensions');
  const inputs = call.inputs.map((_, index) => inputOf(call, index));
  if (inputs.some(({ cells }, index) => cells.length !== widths[index])) throw unsupported(call, 'of other widths');
  const cells = inputs.flatMap((input) => input.cells.map(asFloat32));
  return [perRow('float32', [cells.length], cells)];
}

/** One index counts as a list of one. */
function ArrayFeatureExtractor(call: OperatorCall): Tensor[] {
  const [data, indices] = [inputOf(call, 0), inputOf(call, 1)];
  if (constantsOf(indices) === undefined) return [chosenColumns(call, data, indices)];
  return [picked(call, data, data.shape.length - 1, { ...indices, shape: [indices.cells.length] })];
}

function Gather(call: OperatorCall): Tensor[] {
  const [data, indices] = [inputOf(call, 0), inputOf(call, 1)];
  const axis = axisOf(data, call.attributes.integer('axis') ?? 0);
  return constantsOf(indices) === undefined ? [chosen(call, data, indices)] : [picked(call, data, axis, indices)];
}

/** Of a table of constants, each of its lists gives one value a row. */
function chosenColumns(call: OperatorCall, data: Tensor, indices: Tensor): Tensor {
  const [lists, size] = data.shape;
  if (size === undefined || lists === undefined) return chosen(call, data, indices);
  if (data.shape.length !== 2 || indices.cells.length !== 1) throw unsupported(call, 'of a table');
  const cells = Array.from({ length: lists }, (_, list) => {
    const own = { ...data, shape: [size], cells: data.cells.slice(list * size, (list + 1) * size) };
    return chosen(call, own, indices).cells;
  });
  return { kind: data.kind, shape: [lists], cells: cells.flat(), perRow: true, rowsAt: 1 };
}

/** Columns by constant numbers. */
function picked(call: OperatorCall, data: Tensor, axis: number, indices: Tensor): Tensor {
  const numbers = constantsOf(indices)?.map(Number);
  if (numbers === undefined || axis < 0) throw unsupported(call, 'with indices that are computed');
  const keepsAxis = indices.shape.length > 0;
  const taken = take(call, data, axis, numbers);
  return keepsAxis ? taken : { ...taken, shape: taken.shape.filter((_, own) => own !== axis) };
}

function take(call: OperatorCall, data: Tensor, axis: number, numbers: readonly number[]): Tensor {
  const size = data.shape[axis] ?? 1;
  const inner = sizeOf(data.shape.slice(axis + 1));
  const outer = sizeOf(data.shape.slice(0, axis));
  const cells = Array.from({ length: outer }, (_, block) =>
    numbers.flatMap((number) => {
      const at = (block * size + (number < 0 ? number + size : number)) * inner;
      return data.cells.slice(at, at + inner);
    }),
  ).flat();
  if (cells.length !== outer * numbers.length * inner) throw unsupported(call, 'of columns that are not there');
  return { ...data, shape: data.shape.with(axis, numbers.length), cells };
}

/** A constant of a list, by a number that is computed: the label of a class; or one from each column of a table. */
function chosen(call: OperatorCall, data: Tensor, indices: Tensor): Tensor {
  const values = constantsOf(data);
  const [size = 0, ...inner] = data.shape;
  if (values === undefined || size === 0) throw unsupported(call, 'of a table');
  const width = sizeOf(inner);
  const cells = indices.cells.flatMap((index) => {
    const places = placesFor(call, index, size);
    return Array.from({ length: width }, (_, column) => {
      const entries = places.map(
        (place) => [BigInt(place), values[modulo(place, size) * width + column] ?? 0] as const,
      );
      return lookup(data.kind, index, entries, values[column] ?? 0);
    });
  });
  return perRow(data.kind, [...indices.shape, ...inner], cells);
}

function modulo(place: number, size: number): number {
  return place < 0 ? place + size : place;
}

/**
 * The numbers that name a place: of Gather, those before zero count from the end. ONNX Runtime refuses a row with any
 * other; the place of the largest number always is one.
 */
function placesFor(call: OperatorCall, index: Term, size: number): number[] {
  const isSure = index.traits.chosen === true;
  const first = isSure || call.op !== 'Gather' ? 0 : -size;
  const places = Array.from({ length: size - first }, (_, number) => first + number);
  if (isSure) return places;
  call.critical.add(index, places.map(BigInt));
  call.demand(bool`${index} >= ${constant('int64', BigInt(first))} and ${index} < ${constant('int64', BigInt(size))}`);
  return places;
}

function Slice(call: OperatorCall): Tensor[] {
  const data = inputOf(call, 0);
  const list = (index: number, name: string) => {
    const given = call.inputs[index];
    return given === undefined ? call.attributes.integers(name) : (constantsOf(given)?.map(Number) ?? []);
  };
  const [starts, ends, axes, steps] = [list(1, 'starts'), list(2, 'ends'), list(3, 'axes'), list(4, 'steps')];
  const sliced = starts.reduce((tensor, start, index) => {
    const axis = axisOf(data, axes[index] ?? index);
    if (axis < 0 || (steps[index] ?? 1) !== 1) throw unsupported(call, 'of rows, or with steps');
    const size = data.shape[axis] ?? 0;
    const bound = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, 0), size);
    const [from, to] = [bound(start), bound(ends[index] ?? size)];
    return take(
      call,
      tensor,
      axis,
      Array.from({ length: Math.max(0, to - from) }, (_, step) => from + step),
    );
  }, data);
  return [sliced];
}

function Split(call: OperatorCall): Tensor[] {
  const data = inputOf(call, 0);
  const axis = axisOf(data, call.attributes.integer('axis') ?? 0);
  const given = call.inputs[1];
  const sizes = given === undefined ? call.attributes.integers('split') : (constantsOf(given)?.map(Number) ?? []);
  if (axis < 0 || sizes.length === 0) throw unsupported(call, 'without sizes');
  let from = 0;
  return sizes.map((size) => {
    const numbers = Array.from({ length: size }, (_, step) => from + step);
    from += size;
    return take(call, data, axis, numbers);
  });
}
