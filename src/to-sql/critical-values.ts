import { firstDouble } from '../lib/float32.ts';
import type { Constant, Term, Traits } from './term.ts';

export type Range = readonly [low: number, high: number];

/** Where a model's answer may change: the thresholds and categories that each column of a feature meets. */
export class CriticalValues {
  readonly #limits = new Map<Term, Set<Constant>>();
  readonly #ranges = new Map<string, Range[]>();
  #places: ReadonlyMap<string, ReadonlySet<Constant>> | undefined;

  /** Notes what a term is compared with. It counts where the term is the column of a feature, or follows one. */
  add(term: Term, values: Iterable<Constant>): void {
    if (term.traits.column === undefined && term.traits.follows === undefined) return;
    const known = this.#limits.get(term) ?? new Set();
    for (const value of values) known.add(value);
    this.#limits.set(term, known);
  }

  /** Notes about where a term lies in most rows, as the model scales it. */
  addRange(term: Term, low: number, high: number): void {
    if (!(low < high)) return;
    const [column, ends] = traced(term, [low, high]);
    if (column === undefined) return;
    const found = [...ends].map(Number).filter(Number.isFinite);
    const range = [Math.min(...found), Math.max(...found)] as const;
    const key = keyOf(column.feature, column.element);
    if (range[0] < range[1]) this.#ranges.set(key, [...(this.#ranges.get(key) ?? []), range]);
  }

  /** addRange() for a column that has no range yet: a weight tells less than what scales a column. */
  addLikelyRange(term: Term, low: number, high: number): void {
    const column = columnOf(term);
    if (column !== undefined && this.rangesOf(column.feature, column.element).length === 0)
      this.addRange(term, low, high);
  }

  rangesOf(feature: number, element = 0): readonly Range[] {
    return this.#ranges.get(keyOf(feature, element)) ?? [];
  }

  of(feature: number, element = 0): Constant[] {
    this.#places ??= placesOf(this.#limits);
    return [...(this.#places.get(keyOf(feature, element)) ?? [])];
  }
}

function placesOf(limits: ReadonlyMap<Term, ReadonlySet<Constant>>): Map<string, Set<Constant>> {
  const places = new Map<string, Set<Constant>>();
  for (const [term, values] of limits) {
    const [column, where] = traced(term, values);
    if (column === undefined) continue;
    const key = keyOf(column.feature, column.element);
    places.set(key, new Set([...(places.get(key) ?? []), ...where]));
  }
  return places;
}

function columnOf({ traits: { column, follows } }: Term): Traits['column'] {
  return column ?? (follows && columnOf(follows.term));
}

/** The column that a term comes from, and its values where the term meets its limits. */
function traced({ traits }: Term, values: Iterable<Constant>): [Traits['column'], Iterable<Constant>] {
  const { column, follows } = traits;
  if (column !== undefined || follows === undefined) return [column, values];
  return traced(follows.term, new Set([...values].map(Number).flatMap((limit) => turns(follows.as, limit))));
}

/** Where a function that only rises, or only falls, comes to a limit, and where it leaves it behind. */
function turns(of: (value: number) => number, limit: number): number[] {
  const rises = of(Number.MAX_VALUE) > of(-Number.MAX_VALUE);
  const reaches = firstDouble((value) => (rises ? of(value) >= limit : of(value) <= limit));
  const passes = firstDouble((value) => (rises ? of(value) > limit : of(value) < limit));
  return [reaches, passes].filter((value) => value !== undefined);
}

function keyOf(feature: number, element: number): string {
  return `${feature}:${element}`;
}
