import {
  quoteText,
  untypedNumber,
  bool,
  build,
  constant,
  isFloat,
  type Constant,
  type Kind,
  type Term,
} from './term.ts';

export type Entries = readonly (readonly [Constant, Constant])[];

/** Keys that one CASE compares in turn; more of them are halved first. */
const IN_TURN = 8;

/** The value of a key, as a CASE. The keys are of the source's kind, no NaN, and none comes twice. */
export function lookup(kind: Kind, source: Term, entries: Entries, otherwise: Constant): Term {
  const kept = entries.filter(([, value]) => !Object.is(value, otherwise));
  const sortable = kept.every(isSortable(source));
  return searched(kind, source, sortable ? kept.toSorted(([a], [b]) => (a < b ? -1 : 1)) : kept, otherwise);
}

/** Every encoding of a database sorts ASCII alike; and numbers. */
function isSortable({ kind }: Term): (entry: readonly [Constant, Constant]) => boolean {
  return ([key]) => kind !== 'string' || /^[\x20-\x7e]*$/.test(String(key));
}

function searched(kind: Kind, source: Term, entries: Entries, otherwise: Constant): Term {
  if (entries.length <= IN_TURN || !entries.every(isSortable(source))) return inTurn(kind, source, entries, otherwise);
  const middle = Math.ceil(entries.length / 2);
  const [first = otherwise] = entries[middle] ?? [];
  const below = searched(kind, source, entries.slice(0, middle), otherwise);
  const above = searched(kind, source, entries.slice(middle), otherwise);
  const order = source.kind === 'string' ? ' collate "C"' : '';
  const isBelow: Term = { ...bool`${source}`, pieces: ['', `${order} < ${literal(source.kind, first)}`] };
  const finite = below.traits.range === 'finite' && above.traits.range === 'finite' ? { range: 'finite' as const } : {};
  return build(kind, { picks: true, ...finite })`case when ${isBelow} then ${below} else ${above} end`;
}

/** The keys are literals without types, which take the source's; so do all values but the last. */
function inTurn(kind: Kind, source: Term, entries: Entries, otherwise: Constant): Term {
  const last = constant(kind, otherwise);
  if (entries.length === 0) return last;
  const cases = entries.map(([key, value]) => ` when ${literal(source.kind, key)} then ${literal(kind, value)}`);
  const finite = entries.every(([, value]) => Number.isFinite(value)) && Number.isFinite(otherwise);
  return {
    kind,
    pieces: ['case ', `${cases.join('')} else `, ' end'],
    operands: [source, last],
    traits: { picks: true, ...(finite ? { range: 'finite' } : {}) },
  };
}

function literal(kind: Kind, value: Constant): string {
  if (kind === 'string') return quoteText(String(value));
  return isFloat(kind) ? untypedNumber(Number(value)) : `'${value}'`;
}
