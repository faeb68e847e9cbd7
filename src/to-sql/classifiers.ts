import { exactly, reproducible } from './reproducible.ts';
import { largest, exponential, negated, sigmoid, softmax, squareRoot, logarithm, quotient } from './functions.ts';
import type { OperatorCall } from './operator.ts';
import { perRow, type Tensor } from './tensor.ts';
import { build, constant, type Kind, type Term, NativeRefusal, approximate } from './term.ts';
import { sum } from './sums.ts';

/** The class labels of a classifier. */
export function labelsOf({ attributes }: OperatorCall, strings: string, integers: string): Term[] {
  const texts = attributes.texts(strings);
  if (texts.length > 0) return texts.map((text) => constant('string', text));
  return attributes.wide(integers).map((label) => constant('int64', label));
}

/** The label of the first of the largest scores. */
export function labelOfLargest(labels: readonly Term[], scores: readonly Term[]): Tensor {
  const kind = labels[0]?.kind ?? 'int64';
  const exact = scores.map(exactly);
  return perRow(kind, [], [chosen(firstEqual(kind, labels, exact, largest(exact)))]);
}

/** As it is by which number is the largest, or by the sign of one: where rounding tells, it may be another. */
export function chosen(term: Term): Term {
  return { ...term, traits: { ...term.traits, chosen: true } };
}

/** The choice whose value is the first to equal `wanted`; the last where none before it does. */
export function firstEqual(kind: Kind, choices: readonly Term[], values: readonly Term[], wanted: Term): Term {
  const last = choices.at(-1) ?? constant(kind, 0);
  const others = choices.slice(0, -1);
  const operands = others.flatMap((choice, index) => [values[index] ?? wanted, wanted, choice]);
  const gaps = others.flatMap((_, index) => [index === 0 ? 'case when ' : ' when ', ' = ', ' then ']);
  if (others.length === 0) return last;
  return {
    ...build(kind)``,
    pieces: [...gaps, ' else ', ' end'],
    operands: [...operands, last],
    traits: { picks: true },
  };
}

type PostTransform = (scores: readonly Term[]) => Term[];

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
