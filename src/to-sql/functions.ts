import { exactly, nearestFloat } from './reproducible.ts';
import { approximate, build, constant, over, type Kind, type Term } from './term.ts';
import { balanced, neverNegative } from './sums.ts';

const number = (value: number) => constant('float64', value);
const ZERO = number(0);
const INFINITY = number(Infinity);
const NOT_A_NUMBER = number(Number.NaN);

/** e to the power of x, where PostgreSQL's raises for what is past a double. */
export function exponential(kind: Kind, x: Term): Term {
  const [low, high] = [number(-740), number(kind === 'float32' ? 88.7228390520684 : 709)];
  const made = build(
    kind,
  )`case when ${x} < ${high} then pg_catalog.exp(greatest(${x}, ${low})) else ${x} + ${INFINITY} end`;
  const near = approximate(made, 'an exponential');
  return { ...near, traits: { ...near.traits, exponent: x, atLeast: 0 } };
}

/** 1 / (1 + e^-x), by the hyperbolic tangent, which neither overflows nor underflows. */
export function sigmoid(kind: Kind, x: Term): Term {
  const half = number(0.5);
  const of = (hyperbolic: Term) => build(kind, traits)`${half} + ${half} * ${hyperbolic}`;
  const range = x.traits.range === 'finite' ? 'finite' : 'bounded';
  const traits = { range, origin: originOf(x), isShare: true } as const;
  const made = of(tangent(x));
  const { attempt } = x.traits;
  return attempt === undefined ? made : { ...made, traits: { ...traits, quick: of(finiteTangent(attempt.fast)) } };
}

/** The hyperbolic tangent of half of x. Where a sum comes to exactly 1 or -1, it may hold what is past float32. */
function tangent(x: Term): Term {
  const { attempt } = x.traits;
  if (attempt === undefined) return tangentOf(x);
  return build('float64')`coalesce(${finiteTangent(attempt.fast)}, ${tangentOf(attempt.checked)})`;
}

function finiteTangent(sum: Term): Term {
  return [Number.NaN, 1, -1].reduce(
    (term, value) => build('float64')`nullif(${term}, ${number(value)})`,
    tangentOf(sum),
  );
}

function tangentOf(sum: Term): Term {
  return approximate(build('float64')`pg_catalog.tanh(${number(0.5)} * ${sum})`, 'an exponential');
}

export function negated(x: Term): Term {
  const { attempt } = x.traits;
  return build(x.kind, {
    ...rangeOf(x),
    ...(attempt && { attempt: { fast: negated(attempt.fast), checked: negated(attempt.checked) } }),
    origin: originOf(x),
    picks: true,
    propagates: true,
  })`- ${x}`;
}

/** What a term's being finite depends on: terms of one origin are finite together. */
export function originOf(term: Term): Term {
  return term.traits.origin ?? term;
}

/** Softmax of a row, the largest value taken off first. */
export function softmax(kind: Kind, row: readonly Term[]): Term[] {
  const powers = powersOf(kind, row);
  const total = totalOf(kind, powers);
  return powers.map((power) => build(kind, { range: 'bounded', origin: total, isShare: true })`${power} / ${total}`);
}

export function logSoftmax(kind: Kind, row: readonly Term[]): Term[] {
  const top = largest(row);
  const log = logOfTotal(kind, row);
  return row.map((value) => build(kind)`${value} - ${top} - ${log}`);
}

/** The logarithm of a sum of exponentials: an infinity where that is the largest of them. */
export function logSumExp(kind: Kind, row: readonly Term[]): Term {
  const top = largest(row);
  const sum = build(kind)`${top} + ${logOfTotal(kind, row)}`;
  return build(kind)`case when ${top} < ${INFINITY} and ${top} > -${INFINITY} then ${sum} else ${top} end`;
}

/** Of exponentials of how far each is below the largest. */
function logOfTotal(kind: Kind, row: readonly Term[]): Term {
  return approximate(build(kind)`pg_catalog.ln(${totalOf(kind, powersOf(kind, row))})`, 'a logarithm');
}

function powersOf(kind: Kind, row: readonly Term[]): Term[] {
  const top = largest(row);
  return row.map((value) =>
    approximate(build(kind)`pg_catalog.exp(greatest(${value} - ${top}, ${number(-700)}))`, 'an exponential'),
  );
}

function totalOf(kind: Kind, powers: readonly Term[]): Term {
  return balanced(powers, (left, right) => build(kind)`${left} + ${right}`) ?? ZERO;
}

/** The largest of some values, NaN where one of them is. */
export function largest(row: readonly Term[]): Term {
  const [only] = row;
  if (only !== undefined && row.length === 1) return only;
  const finite = row.every(({ traits }) => traits.range === 'finite') ? { range: 'finite' as const } : {};
  return {
    kind: only?.kind ?? 'float32',
    pieces: ['greatest(', ...row.slice(1).map(() => ', '), ')'],
    operands: row,
    traits: { picks: true, ...finite },
  };
}

/** Of two values of the row, rounded: the product of many could leave the range of doubles, where PostgreSQL raises. */
export function product(a: Term, b: Term): Term {
  const made = build(a.kind, { propagates: true })`${a} * ${b}`;
  const safe = a.constant !== undefined || b.constant !== undefined || a.kind === 'float64';
  return safe ? made : nearestFloat(build('float64')`${exactly(a)} * ${exactly(b)}`);
}

/** What is computed of constants; undefined where one depends on the row. */
export function folded(kind: Kind, row: readonly Term[], of: (values: number[]) => number): Term | undefined {
  const values = row.flatMap(({ constant: value }) => (value === undefined ? [] : [Number(value)]));
  if (values.length !== row.length) return undefined;
  return constant(kind, kind === 'float32' ? Math.fround(of(values)) : of(values));
}

/** The quotient of IEEE 754, where PostgreSQL's raises for a divisor of zero. */
export function quotient(kind: Kind, a: Term, b: Term): Term {
  const divisor = b.constant;
  const positive = neverNegative(a) && neverNegative(b) ? { atLeast: 0 } : {};
  if (divisor !== undefined && divisor !== 0) return build(kind, { propagates: true, ...positive })`${a} / ${b}`;
  return build(kind, positive)`case when ${b} <> '0' then ${a} / ${b}
    when ${b}::pg_catalog.text = '-0' then ${a} * -${INFINITY} else ${a} * ${INFINITY} end`;
}

export function logarithm(kind: Kind, x: Term): Term {
  const value = exactly(x);
  const made = build(kind)`case when ${value} > '0' then pg_catalog.ln(${value})
    when ${value} = '0' then -${INFINITY} else ${NOT_A_NUMBER} end`;
  return approximate(made, 'a logarithm');
}

export function squareRoot(kind: Kind, x: Term): Term {
  return build(kind)`case when ${x} >= '0' then pg_catalog.sqrt(${x}) else ${NOT_A_NUMBER} end`;
}

export function absolute(x: Term): Term {
  return {
    ...over(build(x.kind)`pg_catalog.abs(${x})`, [x]),
    traits: { picks: true, propagates: true, ...rangeOf(x) },
  };
}

function rangeOf({ traits }: Term) {
  return traits.range === undefined ? {} : { range: traits.range };
}
