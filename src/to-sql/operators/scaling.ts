import { lowered } from '../comparison.ts';
import { absolute, largest, quotient, squareRoot } from '../functions.ts';
import { VANISHES } from '../../lib/float32.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { asFloat32 } from '../conversion.ts';
import { nearestFloat, rounded } from '../reproducible.ts';
import { sum, SUM_OF_COLUMNS } from '../sums.ts';
import { perRow, type Tensor, axisOf, constantsOf, sizeOf } from '../tensor.ts';
import { approximate, build, constant, following, type Term, isFloat, type Kind } from '../term.ts';

export const scaling: Operators = { Scaler, Normalizer, BatchNormalization, LayerNormalization };

/** Within so many standard deviations most values lie. */
const USUAL = 2;

const float32 = build('float32', { propagates: true });

function Scaler(call: OperatorCall): Tensor[] {
  const { shape, cells } = inputOf(call, 0);
  const offsets = call.attributes.floats('offset');
  const scales = call.attributes.floats('scale');
  if (shape.length !== 1 || !fits(offsets, cells) || !fits(scales, cells))
    throw unsupported(call, 'with offsets for other columns');
  const scaled = cells.map((cell, column) => {
    const offset = offsets[offsets.length === 1 ? 0 : column] ?? 0;
    const scale = scales[scales.length === 1 ? 0 : column] ?? 1;
    call.critical.addRange(cell, offset - USUAL / Math.abs(scale), offset + USUAL / Math.abs(scale));
    return cell.kind === 'float64' ? scaledInDouble(cell, offset, scale) : scaledBy(asFloat32(cell), offset, scale);
  });
  return [perRow('float32', shape, scaled)];
}

function scaledBy(value: Term, offset: number, scale: number): Term {
  const shifted = float32`${value} - ${constant('float32', offset)}`;
  const scaled = float32`${shifted} * ${constant('float32', scale)}`;
  return following(scaled, value, (number) => Math.fround(Math.fround(number - offset) * scale));
}

/** Of double precision, ONNX Runtime rounds the result only. */
function scaledInDouble(value: Term, offset: number, scale: number): Term {
  const shifted = build('float64')`${value} - ${constant('float64', offset)}`;
  const scaled = nearestFloat(build('float64')`${shifted} * ${constant('float64', scale)}`);
  return following(scaled, value, (number) => Math.fround((number - offset) * scale));
}

function fits(values: readonly number[], cells: readonly Term[]): boolean {
  return values.length === 1 || values.length === cells.length;
}

const NORMS: Readonly<Record<string, (row: readonly Term[]) => Term>> = {
  MAX: largestNumber,
  L1: (row) => approximate(sum('float32', row.map(absolute)), SUM_OF_COLUMNS),
  L2: (row) => squareRoot('float32', vanishing(squares(row))),
};

/** Squares that float32 takes for zero. */
function vanishing(squared: Term): Term {
  const [least, zero] = [constant('float64', VANISHES), constant('float32', 0)];
  const traits = squared.traits.range === 'finite' ? { range: 'finite' as const } : {};
  return build('float32', traits)`case when ${squared} <= ${least} then ${zero} else ${squared} end`;
}

function squares(row: readonly Term[]): Term {
  const squared = row.map((value) => float32`${value} * ${value}`);
  return approximate(sum('float32', squared), SUM_OF_COLUMNS);
}

/** NaN is passed over. */
function largestNumber(row: readonly Term[]): Term {
  return largest([...row.map((value) => lowered(value)), constant('float32', -3.4028234663852886e38)]);
}

function Normalizer(call: OperatorCall): Tensor[] {
  const { shape, cells } = inputOf(call, 0);
  const norm = NORMS[call.attributes.text('norm') ?? 'MAX'];
  if (norm === undefined || shape.length !== 1) throw unsupported(call, 'of this kind');
  const row = cells.map((cell) => rounded(asFloat32(cell)));
  return [perRow('float32', shape, normalised(row, norm(row)))];
}

/** A row of zeros stays as it is. */
function normalised(row: readonly Term[], size: Term): Term[] {
  return row.map((value) => {
    const share = quotient('float32', value, size);
    return build('float32', sameRange(row, size))`case when ${size} <> '0' then ${share} else ${value} end`;
  });
}

function sameRange(row: readonly Term[], origin: Term) {
  return row.every(({ traits }) => traits.range !== undefined) ? { range: 'bounded' as const, origin } : {};
}

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
  const centred = row.map((cell) => build(kind)`${cell} - ${mean}`);
  const squares = sum(
    kind,
    centred.map((cell) => build(kind)`${cell} * ${cell}`),
  );
  const deviation = squareRoot(kind, absolute(build(kind)`${squares} / ${count} + ${constant('float64', epsilon)}`));
  return centred.map((cell) => build(kind)`${cell} / ${deviation}`);
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
