import { DATA_TYPE, dataTypeName, type TensorMessage } from '../onnx/messages.ts';
import { NativeRefusal, constant, type Constant, type Kind, type Term } from './term.ts';

/** A tensor of one row, or a constant of the graph: row-major. */
export type Tensor = {
  readonly kind: Kind;
  /** Without the dimension of the rows. */
  readonly shape: readonly number[];
  readonly cells: readonly Term[];
  /** Whether it has a dimension of rows. */
  readonly perRow: boolean;
  /** How many dimensions of the shape come before that of the rows, where there are any. */
  readonly rowsAt?: number;
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
export function axisOf({ shape, perRow: rows, rowsAt = 0 }: Tensor, axis: number): number {
  const at = axis < 0 ? axis + shape.length + (rows ? 1 : 0) : axis;
  if (!rows || at < rowsAt) return at;
  return at === rowsAt ? -1 : at - 1;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** The longest function has fewer. */
const MOST_CELLS = 100_000;

/**
 * The size of a tensor that is to be made.
 * @throws NativeRefusal for more values than a function can hold
 */
export function boundedSize(op: string, shape: readonly number[]): number {
  const size = sizeOf(shape);
  if (size <= MOST_CELLS) return size;
  throw new NativeRefusal(`operator ${op} with ${size} values a row is not compiled`);
}

/** The place of a cell along each axis of the shape. */
export function placeOf(shape: readonly number[], index: number): number[] {
  let rest = index;
  return shape
    .toReversed()
    .map((size) => {
      const at = rest % size;
      rest = Math.floor(rest / size);
      return at;
    })
    .toReversed();
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
  const rank = Math.max(...inputs.map(({ shape, perRow }) => shape.length + (perRow ? 1 : 0)));
  const places = new Set(
    inputs.flatMap(({ shape, perRow, rowsAt = 0 }) => (perRow ? [rank - 1 - shape.length + rowsAt] : [])),
  );
  if (places.size > 1) throw acrossRows(op);
  const [rowsAt] = places;
  const shapes = inputs.map((input) => alignedShape(op, input, rowsAt, rank));
  const shape = shapes.reduce((left, right) => stretched(op, left, right));
  const cells = Array.from({ length: boundedSize(op, shape) }, (_, index) =>
    apply(...inputs.flatMap((input, number) => input.cells[positionIn(shapes[number] ?? [], shape, index)] ?? [])),
  );
  const kind = as ?? cells[0]?.kind ?? inputs[0]?.kind ?? 'float32';
  return { kind, shape, cells, perRow: rowsAt !== undefined, ...(rowsAt !== undefined && { rowsAt }) };
}

function acrossRows(op: string): NativeRefusal {
  return new NativeRefusal(`operator ${op} across rows is not compiled`);
}

/** The shape without the dimension of the rows, with as many dimensions as the others have. */
function alignedShape(
  op: string,
  { shape, perRow, rowsAt: own = 0 }: Tensor,
  rowsAt: number | undefined,
  rank: number,
): readonly number[] {
  const full = perRow ? shape.toSpliced(own, 0, 1) : shape;
  const padded = [...Array.from({ length: rank - full.length }, () => 1), ...full];
  if (rowsAt === undefined) return padded;
  if (padded[rowsAt] !== 1) throw acrossRows(op);
  return padded.toSpliced(rowsAt, 1);
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
