import { lowered } from '../comparison.ts';
import { absolute, largest, quotient, squareRoot } from '../functions.ts';
import { VANISHES } from '../../lib/float32.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { asFloat32 } from '../conversion.ts';
import { nearestFloat, rounded } from '../reproducible.ts';
import { sum, SUM_OF_COLUMNS } from '../sums.ts';
import { perRow, type Tensor } from '../tensor.ts';
import { approximate, build, constant, following, type Term } from '../term.ts';

export const scaling: Operators = { Scaler, Normalizer };

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
