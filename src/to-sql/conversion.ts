import { exactly, nearestFloat } from './reproducible.ts';
import { NativeRefusal, build, constant, following, isFloat, type Constant, type Kind, type Term } from './term.ts';

/** A term as another kind, as ONNX Runtime casts it. */
export function converted(term: Term, to: Kind): Term {
  if (term.kind === to) return term;
  if (term.constant !== undefined) return constant(to, convertedConstant(term.constant, to));
  if (to === 'float32') return asFloat32(term);
  if (to === 'float64') return asFloat64(term);
  if (to === 'int64') return asInteger(term);
  if (to === 'bool')
    return build('bool')`${exactly(term)} <> ${constant(term.kind === 'int64' ? 'int64' : 'float64', 0)}`;
  if (to === 'string' && term.kind === 'int64') return build('string')`${term}::pg_catalog.text collate "C"`;
  throw new NativeRefusal(`a cast from ${term.kind} to ${to} is not compiled`);
}

function convertedConstant(value: Constant, to: Kind): Constant {
  if (to === 'float32') return Math.fround(Number(value));
  if (to === 'float64') return Number(value);
  if (to === 'bool') return Number(value) !== 0;
  if (to === 'string' && typeof value !== 'number') return String(value);
  if (to === 'int64' && Number.isFinite(Number(value))) return BigInt(Math.trunc(Number(value)));
  throw new NativeRefusal(`a cast of ${JSON.stringify(value)} to ${to} is not compiled`);
}

export function asFloat32(term: Term): Term {
  if (term.kind === 'float32') return term;
  if (term.kind === 'string') throw new NativeRefusal('a cast from string to float32 is not compiled');
  if (term.constant !== undefined) return constant('float32', Math.fround(Number(term.constant)));
  if (term.kind === 'float64') return following(nearestFloat(term), term, Math.fround);
  const propagates = true;
  if (term.kind === 'bool') {
    const { indicates } = term.traits;
    return build('float32', {
      propagates,
      picks: true,
      range: 'finite',
      ...(indicates && { indicates }),
    })`${term}::integer::double precision`;
  }
  const rounds = build('float64', { propagates, range: 'finite' })`${term}::double precision`;
  const nearest = build('float32', { propagates, range: 'finite', rounds })`${term}::real::double precision`;
  return following(nearest, term, Math.fround);
}

function asFloat64(term: Term): Term {
  if (term.kind === 'string') throw new NativeRefusal('a cast from string to float64 is not compiled');
  if (term.kind === 'float32') {
    const widened = build('float64', term.traits.range ? { range: term.traits.range } : {})`${exactly(term)} * '1'`;
    return following(widened, term, Number);
  }
  if (term.kind === 'bool') return build('float64', { range: 'finite' })`${term}::integer::double precision`;
  return following(build('float64', { range: 'finite' })`${term}::double precision`, term, Number);
}

function asInteger(term: Term): Term {
  if (term.kind === 'bool') return build('int64')`${term}::integer::bigint`;
  if (term.kind === 'string') throw new NativeRefusal('a cast from string to int64 is not compiled');
  return following(truncated(term, 63), term, Math.trunc);
}

/** As an integer of 32 bits: of one of 64, the lower half. */
export function asInt32(term: Term): Term {
  if (term.constant === undefined && isFloat(term.kind)) return truncated(term, 31);
  const integer = converted(term, 'int64');
  if (integer.constant !== undefined) return constant('int64', BigInt.asIntN(32, BigInt(integer.constant)));
  if (term.kind === 'bool') return integer;
  const [half, sign] = [constant('int64', 2n ** 32n - 1n), constant('int64', 2n ** 31n)];
  return build('int64')`((${integer} & ${half}) # ${sign}) - ${sign}`;
}

/** Towards zero. What is no integer of so many bits and a sign becomes the smallest of them, as x86 does it. */
function truncated(term: Term, bits: number): Term {
  const value = exactly(term);
  return build('int64')`case when pg_catalog.abs(${value}) < ${constant('float64', 2 ** bits)}
    then pg_catalog.trunc(${value})::bigint else ${constant('int64', -(2n ** BigInt(bits)))} end`;
}
