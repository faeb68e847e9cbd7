import { DATA_TYPE, dataTypeName, type TensorMessage } from '../onnx/messages.ts';
import { NativeRefusal } from './literal.ts';
import { constant, type Constant, type Kind, type Term } from './term.ts';

/** A tensor of one row, or a constant of the graph: row-major. */
export type Tensor = {
  readonly kind: Kind;
  /** Without the dimension of the rows. */
  readonly shape: readonly number[];
  readonly cells: readonly Term[];
  /** Whether a dimension of rows comes before the shape. */
  readonly perRow: boolean;
};

export function perRow(kind: Kind, shape: readonly number[], cells: readonly Term[]): Tensor {
  return { kind, shape, cells, perRow: true };
}

/** One value of each term's own kind in each column. */
export function columns(cells: readonly Term[]): Tensor {
  const kind = cells[0]?.kind ?? 'float32';
  return perRow(kind, [cells.length], cells);
}

/** The constants of a tensor, or undefined where one of them depends on the row. */
export function constantsOf({ cells }: Tensor): Constant[] | undefined {
  const values = cells.flatMap(({ constant: value }) => value ?? []);
  return values.length === cells.length ? values : undefined;
}

/** An axis of the whole tensor, rows included, as one of the shape; -1 is the dimension of the rows. */
export function axisOf({ shape, perRow: rows }: Tensor, axis: number): number {
  const own = rows ? 1 : 0;
  return (axis < 0 ? axis + shape.length + own : axis) - own;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

type Reader = {
  readonly kind: Kind;
  readonly bytes: number;
  readonly raw: (view: DataView, at: number) => Constant;
  readonly listed: (tensor: TensorMessage) => readonly Constant[];
};

const READERS: Readonly<Record<number, Reader>> = {
  [DATA_TYPE.FLOAT]: {
    kind: 'float32',
    bytes: 4,
    raw: (view, at) => view.getFloat32(at, true),
    listed: ({ floatData }) => floatData,
  },
  [DATA_TYPE.DOUBLE]: {
    kind: 'float64',
    bytes: 8,
    raw: (view, at) => view.getFloat64(at, true),
    listed: ({ doubleData }) => doubleData,
  },
  [DATA_TYPE.INT32]: {
    kind: 'int64',
    bytes: 4,
    raw: (view, at) => view.getInt32(at, true),
    listed: ({ int32Data }) => int32Data,
  },
  [DATA_TYPE.INT64]: {
    kind: 'int64',
    bytes: 8,
    raw: (view, at) => view.getBigInt64(at, true),
    listed: ({ int64Data }) => int64Data,
  },
  [DATA_TYPE.BOOL]: {
    kind: 'bool',
    bytes: 1,
    raw: (view, at) => view.getUint8(at) !== 0,
    listed: ({ int32Data }) => int32Data.map(Boolean),
  },
};

/**
 * A tensor of the file.
 * @throws NativeRefusal for an element type that is not compiled
 */
export function constantTensor(tensor: TensorMessage): Tensor {
  const shape = tensor.dims.map(Number);
  if (tensor.dataType === DATA_TYPE.STRING) {
    const cells = tensor.stringData.map((bytes) => constant('string', Buffer.from(bytes).toString('utf8')));
    return { kind: 'string', shape, cells, perRow: false };
  }
  const reader = READERS[tensor.dataType];
  if (reader === undefined) {
    throw new NativeRefusal(`a constant of element type ${dataTypeName(tensor.dataType)} is not compiled`);
  }
  const cells = valuesOf(tensor, reader).map((value) => constant(reader.kind, value));
  return { kind: reader.kind, shape, cells, perRow: false };
}

function valuesOf(tensor: TensorMessage, { bytes, raw, listed }: Reader): readonly Constant[] {
  const { rawData } = tensor;
  if (rawData.length === 0) return listed(tensor);
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  return Array.from({ length: rawData.byteLength / bytes }, (_, index) => raw(view, index * bytes));
}

/**
 * Applies an operation cell by cell, shapes stretched to fit as NumPy does.
 * @throws NativeRefusal where a row would meet the values of other rows
 */
export function elementwise(
  op: string,
  inputs: readonly Tensor[],
  apply: (...cells: Term[]) => Term,
  as?: Kind,
): Tensor {
  const rows = inputs.some(({ perRow }) => perRow);
  const rank = Math.max(...inputs.map(({ shape, perRow }) => shape.length + (perRow ? 1 : 0)));
  const shapes = inputs.map((input) => alignedShape(op, input, rows, rank));
  const shape = shapes.reduce((left, right) => stretched(op, left, right));
  const cells = Array.from({ length: sizeOf(shape) }, (_, index) =>
    apply(...inputs.flatMap((input, number) => input.cells[positionIn(shapes[number] ?? [], shape, index)] ?? [])),
  );
  return { kind: as ?? cells[0]?.kind ?? inputs[0]?.kind ?? 'float32', shape, cells, perRow: rows };
}

/** The shape without the dimension of the rows, with as many dimensions as the others have. */
function alignedShape(op: string, { shape, perRow }: Tensor, rows: boolean, rank: number): readonly number[] {
  const full = perRow ? [0, ...shape] : shape;
  const padded = [...Array.from({ length: rank - full.length }, () => 1), ...full];
  if (!rows) return padded;
  const [first = 1, ...rest] = padded;
  if (first !== (perRow ? 0 : 1)) throw new NativeRefusal(`operator ${op} across rows is not compiled`);
  return rest;
}

function stretched(op: string, left: readonly number[], right: readonly number[]): readonly number[] {
  return left.map((size, axis) => {
    const other = right[axis] ?? 1;
    if (size !== other && size !== 1 && other !== 1)
      throw new NativeRefusal(`operator ${op} of shapes that differ is not compiled`);
    return size === 1 ? other : size;
  });
}

/** Where the cell of `shape` at `index` comes from in a tensor of the shape `own`. */
function positionIn(own: readonly number[], shape: readonly number[], index: number): number {
  let [position, step, rest] = [0, 1, index];
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    const size = shape[axis] ?? 1;
    const ownSize = own[axis] ?? 1;
    if (ownSize !== 1) position += (rest % size) * step;
    step *= ownSize;
    rest = Math.floor(rest / size);
  }
  return position;
}
