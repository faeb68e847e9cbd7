import { NativeRefusal, type Term, build, constant, over } from './term.ts';
import { OVERFLOWS, VANISHES } from '../lib/float32.ts';

/**
 * The term, where `exactly` makes the very number of it that ONNX Runtime comes to. Of any other, what tests it against a
 * limit could come out on the other side: a number that is a millionth off, and a whole leaf with it.
 * @throws NativeRefusal where ONNX Runtime rounds in a way of its own
 */
export function reproducible({ op }: { readonly op: string }, term: Term): Term {
  const what = approximationIn(term);
  if (what === undefined) return term;
  throw new NativeRefusal(`operator ${op} behind ${what} is not compiled: rounding could decide it`);
}

/**
 * A label, or a place in a row, may be another where two sums are as good as equal; a number may not hang on that.
 * @throws NativeRefusal where one does
 */
export function checkChoices<Terms extends readonly Term[]>(numbers: Terms): Terms {
  const seen = new Set<Term>();
  const visit = (term: Term): void => {
    if (seen.has(term)) return;
    seen.add(term);
    const what = term.traits.chosen === true ? approximationIn(term) : undefined;
    if (what !== undefined)
      throw new NativeRefusal(`its numbers depend on a choice behind ${what}: rounding could decide it`);
    term.operands.forEach(visit);
  };
  numbers.forEach(visit);
  return numbers;
}

const known = new WeakMap<Term, string | null>();

/** What in a term is no more than near to what ONNX Runtime has there. */
function approximationIn(term: Term): string | undefined {
  const before = known.get(term);
  if (before !== undefined) return before ?? undefined;
  const found = term.traits.column === undefined ? (term.traits.approximate ?? below(term)) : undefined;
  known.set(term, found ?? null);
  return found;
}

function below({ operands }: Term): string | undefined {
  for (const operand of operands) {
    const found = approximationIn(operand);
    if (found !== undefined) return found;
  }
  return undefined;
}

const sharp = new WeakMap<Term, Term>();

/**
 * A float32 term as float32 arithmetic gives it, operation by operation. Where a value goes into sums only, doubles are
 * close enough and cheaper; where it meets a threshold, they are not.
 */
export function exactly(term: Term): Term {
  if (term.kind !== 'float32' || term.constant !== undefined) return term;
  const known = term.traits.sharper ?? sharp.get(term);
  if (known !== undefined) return known;
  const made = sharpened(term);
  sharp.set(term, made);
  return made;
}

function sharpened(term: Term): Term {
  if (term.traits.rounds !== undefined) return term;
  const precise = over(term, term.operands.map(exactly));
  return term.traits.picks === true ? precise : nearestFloat(precise);
}

/** A feature rounded to float32, which it is left unrounded for; all else as it is. */
export function rounded(term: Term): Term {
  return term.traits.column === undefined ? term : exactly(term);
}

/** A double as the nearest float32, infinite past its range; a bare cast raises there, and where it comes to zero. */
export function nearestFloat(value: Term): Term {
  const [large, small, infinity] = [OVERFLOWS, VANISHES, Infinity].map((limit) => constant('float64', limit)) as [
    Term,
    Term,
    Term,
  ];
  const size = build('float64')`pg_catalog.abs(${value})`;
  return build('float32', { rounds: value })`case when ${size} < ${large}
    then case when ${size} > ${small} then ${value}::real::double precision else ${value} * '0' end
    else ${value} * ${infinity} end`;
}
