import type { Constant, Term } from './term.ts';

/** Where a model's answer may change: the thresholds and categories that each column of a feature meets. */
export class CriticalValues {
  readonly #values = new Map<string, Set<Constant>>();

  /** Notes what a term is compared with, if it is the column of a feature. */
  add({ traits }: Term, values: Iterable<Constant>): void {
    if (traits.column === undefined) return;
    const key = keyOf(traits.column.feature, traits.column.element);
    const known = this.#values.get(key) ?? new Set();
    for (const value of values) known.add(value);
    this.#values.set(key, known);
  }

  of(feature: number, element = 0): Constant[] {
    return [...(this.#values.get(keyOf(feature, element)) ?? [])];
  }
}

function keyOf(feature: number, element: number): string {
  return `${feature}:${element}`;
}
