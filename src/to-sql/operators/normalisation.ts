import { absolute, squareRoot } from '../functions.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { sum } from '../sums.ts';
import { axisOf, constantsOf, sizeOf, type Tensor } from '../tensor.ts';
import { build, constant, isFloat, type Kind, type Term } from '../term.ts';

/** Layers that scale what comes out of the layer before. */
export const normalisation: Operators = { BatchNormalization, LayerNormalization };

const EPSILON = 1e-5;

/** By the means and variances of the training, which are constants: channels come after the rows. */
function BatchNormalization(call: OperatorCall): Tensor[] {
  const input = inputOf(call, 0);
  const [channels = 0, ...inner] = input.shape;
  const [scales, shifts, means, variances] = [1, 2, 3, 4].map((index) => numbersOf(call, index));
  const epsilon = call.attributes.float('epsilon') ?? EPSILON;
  if (!isFloat(input.kind) || call.attributes.integer('training_mode') === 1 || scales?.length !== channels)
    throw unsupported(call, 'of this kind');
  const cells = input.cells.map((cell, index) => {
    const channel = Math.floor(index / sizeOf(inner));
    const slope = (scales[channel] ?? 1) / Math.sqrt((variances?.[channel] ?? 1) + epsilon);
    const [mean, shift] = [means?.[channel] ?? 0, shifts?.[channel] ?? 0];
    return scaled(input.kind, build(input.kind)`${cell} - ${constant('float64', mean)}`, slope, shift);
  });
  return [{ ...input, cells }];
}

/** By the mean and the variance of the row itself. */
function LayerNormalization(call: OperatorCall): Tensor[] {
  const input = inputOf(call, 0);
  const axis = axisOf(input, call.attributes.integer('axis') ?? -1);
  if (!isFloat(input.kind) || axis < 0) throw unsupported(call, 'of rows');
  const size = sizeOf(input.shape.slice(axis));
  const scales = numbersOf(call, 1);
  const shifts = call.inputs[2] === undefined ? [] : numbersOf(call, 2);
  if (scales.length !== size) throw unsupported(call, 'of this kind');
  const epsilon = call.attributes.float('epsilon') ?? EPSILON;
  const cells = Array.from({ length: input.cells.length / size }, (_, row) => {
    const standard = standardised(input.kind, input.cells.slice(row * size, (row + 1) * size), epsilon);
    return standard.map((cell, index) => scaled(input.kind, cell, scales[index] ?? 1, shifts[index] ?? 0));
  });
  return [{ ...input, cells: cells.flat() }];
}

function standardised(kind: Kind, row: readonly Term[], epsilon: number): Term[] {
  const count = constant('float64', row.length);
  const mean = build(kind)`${sum(kind, row)} / ${count}`;
  const apart = row.map((cell) => build(kind)`${cell} - ${mean}`);
  const squares = sum(
    kind,
    apart.map((cell) => build(kind)`${cell} * ${cell}`),
  );
  const deviation = squareRoot(kind, absolute(build(kind)`${squares} / ${count} + ${constant('float64', epsilon)}`));
  return apart.map((cell) => build(kind)`${cell} / ${deviation}`);
}

function scaled(kind: Kind, cell: Term, slope: number, shift: number): Term {
  return build(kind)`${cell} * ${constant('float64', slope)} + ${constant('float64', shift)}`;
}

/** @throws NativeRefusal where they depend on the row */
function numbersOf(call: OperatorCall, index: number): number[] {
  const values = constantsOf(inputOf(call, index));
  if (values === undefined) throw unsupported(call, 'with weights that are computed');
  return values.map(Number);
}
