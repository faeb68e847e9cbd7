import { OVERFLOWS, VANISHES } from '../lib/float32.ts';
import { build, constant, over } from './term.ts';
import type { Term } from './term.ts';

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
