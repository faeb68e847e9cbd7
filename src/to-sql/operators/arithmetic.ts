import { elementwise, type Tensor } from '../tensor.ts';
import {
  absolute,
  exponential,
  folded,
  largest,
  logarithm,
  negated,
  product,
  quotient,
  squareRoot,
} from '../functions.ts';
import { anyInputOf, unsupported, type Operator, type OperatorCall, type Operators } from '../operator.ts';
import { reproducible, exactly, rounded, nearestFloat } from '../reproducible.ts';
import { sum } from '../sums.ts';
import {
  build,
  constant,
  following,
  isFloat,
  type Kind,
  type Term,
  NativeRefusal,
  approximate,
  bool,
} from '../term.ts';

export const arithmetic: Operators = {
  Add: binary(
    (a, b) => sum(a.kind, [a, b]),
    (a, b) => a + b,
  ),
  Sub: binary(
    (a, b) => build(a.kind, { propagates: true })`${a} - ${b}`,
    (a, b) => a - b,
  ),
  Mul: binary(product, (a, b) => a * b),
  Div: binary(ratio),
  Pow: binary(power),
  // In the order of the file, as ONNX Runtime does.
  Sum: variadic((row) => row.reduce((left, right) => sum(left.kind, [left, right]))),
  Mean: variadic(
    (row) =>
      build(row[0]?.kind ?? 'float32')`${sum(row[0]?.kind ?? 'float32', row)} / ${constant('float64', row.length)}`,
  ),
  Max: variadic(largest),
  Min: variadic(minimum),
  Neg: unary(negated),
  Abs: unary(absolute),
  Sqrt: unary((x) => squareRoot(x.kind, x)),
  Exp: unary((x) => exponential(x.kind, x)),
  Log: unary((x) => logarithm(x.kind, x)),
  Reciprocal: unary((x) => quotient(x.kind, constant(x.kind, 1), x)),
  Floor: whole((x) => build(x.kind)`pg_catalog.floor(${x})`),
  Ceil: whole((x) => build(x.kind)`pg_catalog.ceil(${x})`),
  Round: whole((x) => build(x.kind)`pg_catalog.round(${x})`),
};

function unary(apply: (x: Term) => Term): Operator {
  return variadic(([x]) => apply(x as Term));
}

/** The next number up or down is one apart, however near the value is. */
function whole(apply: (x: Term) => Term): Operator {
  return variadic(([x], call) => apply(exactly(reproducible(call, x as Term))));
}

/** `as`: the same of numbers, where it rises or falls with each of them. */
function binary(
  apply: (a: Term, b: Term, call: OperatorCall) => Term,
  as?: (a: number, b: number) => number,
): Operator {
  return variadic(([a, b], call) => {
    const made = apply(a as Term, b as Term, call);
    return as === undefined ? made : followingOne(made, a as Term, b as Term, as);
  });
}

function followingOne(made: Term, a: Term, b: Term, as: (a: number, b: number) => number): Term {
  const round = nearest(made.kind);
  if (b.constant !== undefined) return following(made, a, (value) => round(as(value, Number(b.constant))));
  if (a.constant !== undefined) return following(made, b, (value) => round(as(Number(a.constant), value)));
  return made;
}

/** It follows what is divided, and not what it is divided by, which may be on either side of zero. */
function ratio(a: Term, b: Term, { critical }: OperatorCall): Term {
  const made = quotient(a.kind, a, b);
  if (b.constant === undefined) return made;
  // A square over a variance.
  const deviation = Math.sqrt(Number(b.constant));
  if (a.traits.squares !== undefined) critical.addRange(a.traits.squares, -2 * deviation, 2 * deviation);
  const round = nearest(a.kind);
  return following(made, a, (value) => round(value / Number(b.constant)));
}

function nearest(kind: Kind): (value: number) => number {
  return kind === 'float32' ? Math.fround : Number;
}

function variadic(apply: (row: Term[], call: OperatorCall) => Term): Operator {
  return (call) => {
    const inputs = floats(call);
    const kind = inputs[0]?.kind ?? 'float32';
    const of = OF_NUMBERS[call.op];
    const made = (...row: Term[]) =>
      (of && folded(kind, row, (values) => of(...values))) ?? apply(row.map(rounded), call);
    return [elementwise(call.op, inputs, made, kind)];
  };
}

const OF_NUMBERS: Readonly<Record<string, (...values: number[]) => number>> = {
  Add: (a = 0, b = 0) => a + b,
  Sub: (a = 0, b = 0) => a - b,
  Mul: (a = 0, b = 0) => a * b,
  Div: (a = 0, b = 0) => a / b,
  Pow: (a = 0, b = 0) => a ** b,
  Neg: (a = 0) => -a,
  Sqrt: (a = 0) => Math.sqrt(a),
  Exp: (a = 0) => Math.exp(a),
  Log: (a = 0) => Math.log(a),
};

function floats(call: OperatorCall): Tensor[] {
  const inputs = call.inputs.map((_, index) => anyInputOf(call, index));
  const other = inputs.find(({ kind }) => !isFloat(kind));
  if (other !== undefined) throw unsupported(call, `of ${other.kind}`);
  return inputs;
}

/** NaN where one of them is, which PostgreSQL's least() would pass over. */
function minimum(row: readonly Term[]): Term {
  return negated(largest(row.map(negated)));
}

/** x to a constant power. */
function power(x: Term, y: Term): Term {
  const exponent = y.constant === undefined ? undefined : Number(y.constant);
  if (exponent === undefined) throw new NativeRefusal('operator Pow with an exponent that is computed is not compiled');
  if (exponent === 0) return constant(x.kind, 1);
  if (exponent === 1) return x;
  if (exponent === 2) return square(x);
  if (exponent === -1) return approximate(quotient(x.kind, constant(x.kind, 1), x), 'a power');
  return approximate(general(x.kind, exactly(x), exponent), 'a power');
}

function square(x: Term): Term {
  const value = exactly(x);
  const squared = build('float64')`${value} * ${value}`;
  const made = x.kind === 'float32' ? nearestFloat(squared) : squared;
  return { ...made, traits: { ...made.traits, squares: x } };
}

function general(kind: Kind, x: Term, exponent: number): Term {
  const number = (value: number) => constant('float64', value);
  const size = exponential(kind, build('float64')`${number(exponent)} * ${logarithm('float64', absolute(x))}`);
  const atZero = number(exponent > 0 ? 0 : Infinity);
  const sign = Number.isInteger(exponent) ? number(exponent % 2 === 0 ? 1 : -1) : number(Number.NaN);
  const isNumber = bool`${x} > '0' and ${x} < ${number(Infinity)}`;
  return build(kind)`case when ${isNumber} then ${size} when ${x} = '0' then ${atZero}
    when ${x} < '0' and ${x} > ${number(-Infinity)} then ${sign} * ${size} else ${infinite(kind, x, exponent, sign)} end`;
}

/** The power of an infinity, and NaN for NaN. */
function infinite(kind: Kind, x: Term, exponent: number, sign: Term): Term {
  const size = constant('float64', exponent > 0 ? Infinity : 0);
  const negative = Number.isInteger(exponent) ? build(kind)`${sign} * ${size}` : size;
  return build(
    kind,
  )`case when ${x} < '0' then ${negative} when ${x} = ${constant('float64', Infinity)} then ${size} else ${x} end`;
}
