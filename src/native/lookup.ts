import { bool, build, constant } from './term.ts';
import type { Constant, Kind, Term } from './term.ts';

export type Entries = readonly (readonly [Constant, Constant])[];

/** Keys that one CASE compares in turn; more of them are halved first. */
const IN_TURN = 8;

/** The value of a key, as a CASE. The keys are of the source's kind, no NaN, and none comes twice. */
export function lookup(kind: Kind, source: Term, entries: Entries, otherwise: Constant): Term {
  const kept = entries.filter(([, value]) => !Object.is(value, otherwise));
  return searched(kind, source, source.kind === 'string' && !kept.every(isAscii) ? kept : sorted(kept), otherwise);
}

/** Every encoding of a database sorts ASCII alike. */
function isAscii([key]: readonly [Constant, Constant]): boolean {
  return /^[\x20-\x7e]*$/.test(String(key));
}

function sorted(entries: Entries): Entries {
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function searched(kind: Kind, source: Term, entries: Entries, otherwise: Constant): Term {
  const traits = { picks: true, ...(kind === 'float32' ? { range: 'finite' as const } : {}) };
  if (entries.length <= IN_TURN) return inTurn(kind, source, entries, otherwise);
  const middle = Math.ceil(entries.length / 2);
  const [first] = entries[middle] ?? [];
  const isSorted = source.kind !== 'string' || entries.every(isAscii);
  if (first === undefined || !isSorted) return inTurn(kind, source, entries, otherwise);
  const below = searched(kind, source, entries.slice(0, middle), otherwise);
  const above = searched(kind, source, entries.slice(middle), otherwise);
  return build(
    kind,
    traits,
  )`case when ${bool`${source} < ${constant(source.kind, first)}`} then ${below} else ${above} end`;
}

function inTurn(kind: Kind, source: Term, entries: Entries, otherwise: Constant): Term {
  if (entries.length === 0) return constant(kind, otherwise);
  const cases = entries.flatMap(([key, value]) => [constant(source.kind, key), constant(kind, value)]);
  const gaps = cases.map((_, index) => (index % 2 === 0 ? ' when ' : ' then '));
  const finite = entries.every(([, value]) => Number.isFinite(value)) && Number.isFinite(otherwise);
  return {
    kind,
    pieces: ['case ', ...gaps, ' else ', ' end'],
    operands: [source, ...cases, constant(kind, otherwise)],
    traits: { picks: true, ...(finite ? { range: 'finite' } : {}) },
  };
}
