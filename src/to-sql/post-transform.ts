import { exactly, reproducible } from './reproducible.ts';
import { exponential, negated, sigmoid, softmax, squareRoot, logarithm, largest, quotient } from './functions.ts';
import { NativeRefusal } from './literal.ts';
import { sum } from './sums.ts';
import { approximate, build, constant, type Term } from './term.ts';

export type PostTransform = (scores: readonly Term[]) => Term[];

const float32 = build('float32');
const number = (value: number) => constant('float64', value);

const TRANSFORMS: Readonly<Record<string, PostTransform>> = {
  NONE: (scores) => [...scores],
  LOGISTIC: (scores) => scores.map((score) => sigmoid('float32', score)),
  SOFTMAX: (scores) => softmax('float32', scores),
  SOFTMAX_ZERO: softmaxZero,
  PROBIT: (scores) => scores.map(probit),
};

/** @throws NativeRefusal for a transform that ONNX does not define */
export function postTransform(name = 'NONE'): PostTransform {
  const transform = TRANSFORMS[name];
  if (transform === undefined) throw new NativeRefusal(`post transform ${name} is not compiled`);
  return transform;
}

/** A softmax that lets what is nearly zero keep its value, scaled, instead of e^0. */
function softmaxZero(scores: readonly Term[]): Term[] {
  const top = largest(scores);
  const scale = exponential('float32', negated(top));
  const powers = scores.map((raw) => {
    const score = exactly(reproducible({ op: 'SOFTMAX_ZERO' }, raw));
    const power = float32`case when ${score} > ${number(1e-7)} or ${score} < ${number(-1e-7)}
      then pg_catalog.exp(greatest(${score} - ${top}, ${number(-700)})) else ${score} * ${scale} end`;
    return approximate(power, 'an exponential');
  });
  const total = sum('float32', powers);
  return powers.map((power) => quotient('float32', power, total));
}

/** Winitzki's approximation of the inverse error function, with the constants of ONNX Runtime. */
function probit(score: Term): Term {
  const x = float32`${score} * '2' - '1'`;
  const log = logarithm('float32', float32`('1' - ${x}) * ('1' + ${x})`);
  const half = float32`${number(2 / (3.14159 * 0.147))} + ${log} / '2'`;
  const root = squareRoot('float32', float32`${half} * ${half} - ${log} / ${number(0.147)}`);
  const size = squareRoot('float32', float32`${root} - ${half}`);
  return float32`case when ${x} < '0' then ${number(-1.41421356)} else ${number(1.41421356)} end * ${size}`;
}
