import { elementwise, axisOf, type Tensor } from '../tensor.ts';
import { exponential, largest, logarithm, logSoftmax, quotient, absolute, sigmoid, softmax } from '../functions.ts';
import { anyInputOf, inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { rounded, exactly } from '../reproducible.ts';
import { approximate, build, constant, isFloat, type Kind, type Term } from '../term.ts';
import { compareTo, isNaNTerm } from '../comparison.ts';

type Activation = (x: Term, call: OperatorCall) => Term;

const number = (value: number) => constant('float64', value);

export const activations: Operators = {
  Clip,
  Sigmoid: each((x) => sigmoid(x.kind, x)),
  Tanh: each((x) => approximate(build(x.kind, { range: 'bounded' })`pg_catalog.tanh(${x})`, 'a hyperbolic tangent')),
  Relu: each((x) => largest([x, constant(x.kind, 0)])),
  LeakyRelu: each((x, { attributes }) => sloping(x, number(attributes.float('alpha') ?? 0.01))),
  Elu: each((x, { attributes }) => elu(x, attributes.float('alpha') ?? 1)),
  Selu: each((x, { attributes }) => {
    const [alpha, gamma] = [attributes.float('alpha') ?? SELU.alpha, attributes.float('gamma') ?? SELU.gamma];
    return build(x.kind)`${elu(x, alpha)} * ${number(gamma)}`;
  }),
  HardSigmoid: each((x, { attributes }) =>
    hardSigmoid(x, attributes.float('alpha') ?? 0.2, attributes.float('beta') ?? 0.5),
  ),
  HardSwish: each((x) => build(x.kind)`${x} * ${hardSigmoid(x, 1 / 6, 0.5)}`),
  PRelu: (call) => [
    elementwise(call.op, [anyInputOf(call, 0), anyInputOf(call, 1)], (x, slope) => sloping(rounded(x), slope)),
  ],
  Softplus: each(softplus),
  Softsign: each((x) => approximate(quotient(x.kind, x, build(x.kind)`'1' + ${absolute(x)}`), 'a softsign')),
  Softmax: (call) => [alongLast(call, softmax)],
  LogSoftmax: (call) => [alongLast(call, logSoftmax)],
};

function each(activation: Activation) {
  return (call: OperatorCall): Tensor[] => {
    const input = anyInputOf(call, 0);
    if (!isFloat(input.kind)) throw unsupported(call, `of ${input.kind}`);
    return [elementwise(call.op, [input], (x) => activation(rounded(x), call), input.kind)];
  };
}

function sloping(x: Term, slope: Term): Term {
  return build(x.kind)`case when ${x} >= '0' then ${x} else ${x} * ${slope} end`;
}

/** The constants of the operator, with which a layer keeps mean and variance. */
const SELU = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };

function hardSigmoid(x: Term, slope: number, middle: number): Term {
  const line = build(x.kind)`${x} * ${number(slope)} + ${number(middle)}`;
  return build(
    x.kind,
  )`case when ${isNaNTerm(x)} then ${x} else greatest(least(${line}, ${number(1)}), ${number(0)}) end`;
}

function elu(x: Term, alpha: number): Term {
  return build(x.kind)`case when ${x} >= '0' then ${x} else (${exponential(x.kind, x)} - '1') * ${number(alpha)} end`;
}

/** ln(1 + e^x), by what can't overflow. */
function softplus(x: Term): Term {
  const small = exponential(x.kind, build(x.kind)`- ${absolute(x)}`);
  return build(
    x.kind,
  )`${largest([x, constant(x.kind, 0)])} + ${logarithm('float64', build('float64')`'1' + ${small}`)}`;
}

/** Before version 13 all dimensions from the axis on counted as one, by default all but the rows. */
function alongLast(call: OperatorCall, rowwise: (kind: Kind, row: readonly Term[]) => Term[]): Tensor {
  const input = inputOf(call, 0);
  const axis = axisOf(input, call.attributes.integer('axis') ?? (call.opset < 13 ? 1 : -1));
  const last = input.shape.length - 1;
  if (axis !== last && !(call.opset < 13 && axis === 0)) throw unsupported(call, 'along another axis than the last');
  const size = call.opset < 13 && axis === 0 ? input.cells.length : (input.shape[last] ?? 1);
  const rows = Array.from({ length: input.cells.length / size }, (_, row) =>
    input.cells.slice(row * size, (row + 1) * size),
  );
  return { ...input, cells: rows.flatMap((row) => rowwise(input.kind, row)) };
}

function Clip(call: OperatorCall): Tensor[] {
  const input = anyInputOf(call, 0);
  if (!isFloat(input.kind)) throw unsupported(call, `of ${input.kind}`);
  const low = bound(call, 1, 'min') ?? -Infinity;
  const high = bound(call, 2, 'max') ?? Infinity;
  return [elementwise(call.op, [input], (cell) => clipped(cell, low, high), input.kind)];
}

/** Limits were attributes before version 11. */
function bound(call: OperatorCall, index: number, name: string): number | undefined {
  const given = call.inputs[index];
  if (given === undefined) return call.attributes.float(name);
  const value = given.cells[0]?.constant;
  if (value === undefined) throw unsupported(call, 'to limits that are computed');
  return Number(value);
}

/** NaN stays NaN. */
function clipped(cell: Term, low: number, high: number): Term {
  const [least, most] = [constant(cell.kind, low), constant(cell.kind, high)];
  const value = exactly(cell);
  return build(cell.kind, { picks: true })`case when ${compareTo(cell, '<', low)} then ${least}
    when ${compareTo(cell, '<=', high)} or ${isNaNTerm(value)} then ${value} else ${most} end`;
}
