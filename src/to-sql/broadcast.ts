import { NativeRefusal } from './refusal.ts';
import { sizeOf } from './tensor.ts';
import type { Tensor } from './tensor.ts';
import type { Kind, Term } from './term.ts';

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
