import { absolute, exponential, logarithm, quotient } from './functions.ts';
import { NativeRefusal } from './literal.ts';
import { exactly, nearestFloat } from './reproducible.ts';
import { approximate, bool, build, constant, type Kind, type Term } from './term.ts';

/** x to a constant power. */
export function power(x: Term, y: Term): Term {
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
