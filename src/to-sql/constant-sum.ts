import type { Term } from './term.ts';

/** What some terms add up to in every row; undefined where that depends on the row, or nothing tells. */
export function constantSum(terms: readonly Term[]): number | undefined {
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
