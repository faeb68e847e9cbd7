import { OVERFLOWS } from '../lib/float32.ts';
import { lookup } from './lookup.ts';
import { approximate, build, constant, type Constant, type Kind, type Term } from './term.ts';

/** Halves a list until one is left: a chain of a thousand pluses nests a thousand deep, and exhausts the stack. */
export function balanced(terms: readonly Term[], join: (left: Term, right: Term) => Term): Term | undefined {
  if (terms.length <= 1) return terms[0];
  const middle = Math.ceil(terms.length / 2);
  const [left, right] = [balanced(terms.slice(0, middle), join), balanced(terms.slice(middle), join)];
  return left === undefined || right === undefined ? (left ?? right) : join(left, right);
}

/** So many numbers are added one after the other, which a processor foresees better than halves: a tenth faster. */
const RUN = 16;

export const SUM_OF_COLUMNS = 'a sum of columns';

/** Of two numbers, it is rounded once; of more, ONNX Runtime has an order of its own. */
export function sum(kind: Kind, terms: readonly Term[]): Term {
  const finite = terms.every(({ traits }) => traits.range === 'finite') ? { range: 'finite' as const } : {};
  const add = build(kind, { propagates: true, ...finite });
  const join = (left: Term, right: Term) => add`${left} + ${right}`;
  const runs = Array.from({ length: Math.ceil(terms.length / RUN) }, (_, index) =>
    terms.slice(index * RUN, (index + 1) * RUN).reduce(join),
  );
  const total = balanced(runs, join) ?? constant(kind, 0);
  const near = terms.length > 2 ? approximate(total, SUM_OF_COLUMNS) : total;
  const atLeast = leastOf(terms);
  return atLeast === undefined || near.constant !== undefined ? near : { ...near, traits: { ...near.traits, atLeast } };
}

export function neverNegative({ constant: value, traits }: Term): boolean {
  return typeof value === 'number' ? value >= 0 : (traits.atLeast ?? -1) >= 0 || traits.isShare === true;
}

/** What a sum is never below: exponentials are least where all are equal. */
function leastOf(terms: readonly Term[]): number | undefined {
  if (!terms.every(neverNegative)) return undefined;
  const exponents = terms.flatMap(({ traits }) => traits.exponent ?? []);
  const total = exponents.length === terms.length ? constantSum(exponents) : undefined;
  return total === undefined ? 0 : terms.length * Math.exp(total / terms.length);
}

/** With so many sums of the same columns it takes less time to look at each column once, for all of them. */
const MANY = 10;

/** Weighted sums of the same row, each with a bias. */
export function weightedSums(
  kind: Kind,
  cells: readonly Term[],
  weights: readonly (readonly number[])[],
  biases: readonly number[],
): Term[] {
  const sumOf = weights.length < MANY ? weightedSum : checkedSum;
  return weights.map((own, index) => sumOf(kind, cells, own, biases[index] ?? 0));
}

/**
 * The weighted sum of a row, plus a bias, in doubles. Where features may be missing, the sum is first taken as if none
 * were: NULL and NaN show in the result, and only then is each of them looked at.
 */
export function weightedSum(kind: Kind, cells: readonly Term[], weights: readonly number[], bias: number): Term {
  return atFirstUnchecked(checkedSum(kind, cells, weights, bias), suspicious(cells, weights));
}

function checkedSum(kind: Kind, cells: readonly Term[], weights: readonly number[], bias: number): Term {
  const known = new Map<Term, [Constant, number][]>();
  const terms: Term[] = [];
  cells.forEach((cell, index) => {
    const weight = weights[index] ?? 0;
    const { indicates } = cell.traits;
    if (indicates === undefined || !Number.isFinite(weight)) terms.push(weighted(kind, cell, weight));
    else known.set(indicates.source, [...(known.get(indicates.source) ?? []), [indicates.category, weight]]);
  });
  for (const [source, entries] of known) terms.push(lookup('float32', source, entries, 0));
  const total = sum(kind, bias === 0 && terms.length > 0 ? terms : [...terms, constant(kind, bias)]);
  // Of two terms, too: a product is not rounded before it is added.
  return approximate(total, SUM_OF_COLUMNS);
}

function weighted(kind: Kind, cell: Term, weight: number): Term {
  if (cell.constant !== undefined) return constant(kind, Number(cell.constant) * weight);
  const finite = cell.traits.range === 'finite' && Number.isFinite(weight) ? { range: 'finite' as const } : {};
  const product = build(kind, { propagates: true, ...finite });
  return product`${asDouble(cell)} * ${constant('float64', weight)}`;
}

/** An integer or a boolean as a double; floats as they are. */
export function asDouble(cell: Term): Term {
  if (cell.kind === 'bool') return build('float64', { range: 'finite' })`${cell}::integer::double precision`;
  return cell.kind === 'int64' ? build('float64', { range: 'finite' })`${cell}::double precision` : cell;
}

function atFirstUnchecked(total: Term, limit: number | undefined): Term {
  const fast = unchecked(total, new Map());
  if (fast === total) return total;
  const attempt = { fast, checked: total };
  return build(total.kind, { attempt })`coalesce(${unsuspicious(fast, limit)}, ${total})`;
}

/** The sum, or NULL where a feature has to be looked at. PostgreSQL takes NaN for the greatest, and passes over NULL. */
function unsuspicious(sum: Term, limit: number | undefined): Term {
  if (limit === undefined) return build('float64')`nullif(${sum}, ${constant('float64', Number.NaN)})`;
  const most = constant('float64', limit);
  return build('float64')`nullif(nullif(greatest(least(${sum}, ${most}), -${most}), ${most}), -${most})`;
}

/** From where on a sum may hold a number past float32 that nothing else notices; half of that, as others add to it. */
function suspicious(cells: readonly Term[], weights: readonly number[]): number | undefined {
  const reaches = cells.flatMap((cell, index) => {
    const reach = Math.abs((weights[index] ?? 0) * steepness(cell)) * OVERFLOWS;
    return reach > 0 ? [reach / 2] : [];
  });
  return reaches.length === 0 ? undefined : Math.min(...reaches);
}

const FAR = 2 ** 64;

/** How fast a term rises with a column of float32 that no guard looks at; 0 where it follows none. */
function steepness({ kind, traits }: Term): number {
  const { follows, unchecked: column, guards } = traits;
  if (column !== undefined) return kind === 'float32' && guards === undefined ? 1 : 0;
  if (follows === undefined) return 0;
  return (steepness(follows.term) * (follows.as(FAR) - follows.as(0))) / FAR;
}

/** The term without its checks for missing values, or the term itself where it has none that would show in it. */
function unchecked(term: Term, done: Map<Term, Term>): Term {
  const { traits } = term;
  if (traits.unchecked !== undefined) return traits.unchecked;
  if (traits.propagates !== true) return term;
  const known = done.get(term);
  if (known !== undefined) return known;
  const operands = term.operands.map((operand) => unchecked(operand, done));
  const same = operands.every((operand, index) => operand === term.operands[index]);
  const made = same ? term : { ...term, operands };
  done.set(term, made);
  return made;
}

/** What some terms add up to in every row; undefined where that depends on the row, or nothing tells. */
function constantSum(terms: readonly Term[]): number | undefined {
  const [first, ...others] = terms;
  if (first === undefined) return 0;
  const constants = terms.flatMap(({ constant }) => (typeof constant === 'number' ? [constant] : []));
  if (constants.length === terms.length) return constants.reduce((a, b) => a + b, 0);
  const form = formOf(first);
  if (others.some((term) => formOf(term) !== form)) return undefined;
  return FORMS[form]?.(terms);
}

function formOf({ pieces }: Term): string {
  return pieces.join('…');
}

function operandsOf(terms: readonly Term[], place: number): Term[] {
  return terms.flatMap(({ operands }) => operands[place] ?? []);
}

const FORMS: Readonly<Record<string, (terms: readonly Term[]) => number | undefined>> = {
  '… + …': (terms) => {
    const [left, right] = [constantSum(operandsOf(terms, 0)), constantSum(operandsOf(terms, 1))];
    return left === undefined || right === undefined ? undefined : left + right;
  },
  '… * …': (terms) => scaled(terms, (total, by) => total * by),
  '… / …': (terms) => scaled(terms, (total, by) => total / by),
  'case when … then … else … end': oneOfPlaces,
};

function scaled(terms: readonly Term[], apply: (total: number, by: number) => number): number | undefined {
  const factors = new Set(operandsOf(terms, 1).map(({ constant }) => constant));
  const [by] = factors;
  const total = factors.size === 1 && typeof by === 'number' ? constantSum(operandsOf(terms, 0)) : undefined;
  return total === undefined ? undefined : apply(total, Number(by));
}

/** A number where a place is that of the largest, and another in every other place. */
function oneOfPlaces(terms: readonly Term[]): number | undefined {
  const conditions = operandsOf(terms, 0);
  const places = new Set(operandsOf(conditions, 0));
  const named = new Set(operandsOf(conditions, 1).map(({ constant }) => Number(constant)));
  const [chosen, another, either] = [operandsOf(terms, 1), operandsOf(terms, 2), [...places][0]];
  const all = either?.traits.places === terms.length && terms.every((_, place) => named.has(place));
  if (places.size !== 1 || !all || conditions.some((condition) => formOf(condition) !== '… = …')) return undefined;
  const [then, otherwise] = [oneNumber(chosen), oneNumber(another)];
  return then === undefined || otherwise === undefined ? undefined : then + (terms.length - 1) * otherwise;
}

function oneNumber(terms: readonly Term[]): number | undefined {
  const values = new Set(terms.map(({ constant }) => constant));
  const [value] = values;
  return values.size === 1 && typeof value === 'number' ? value : undefined;
}
