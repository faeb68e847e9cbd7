import { hashBytes, sameBytes } from '../lib/byte-hash.ts';
import { MISSING } from './number-bins.ts';

const NEW = 1;
const FIRST_BIN = 2;
/** Longer texts are no categories, in bytes. */
export const LONGEST = 200;

type Entry = { readonly bytes: Uint8Array; readonly slot: number };

/** The categories of a feature that have a bin, and those that are known. */
export class CategoryBins {
  /** How many slots there are: missing, new, the categories, others. */
  readonly size: number;
  /** How many categories are known, with a bin and without. */
  readonly known: number;
  readonly #unknown: number;
  readonly #mask: number;
  readonly #table: (Entry | undefined)[];

  /** `others` are known and have no bin; null where they were too many to be told from new ones. */
  constructor(categories: readonly string[], others: readonly string[] | null) {
    this.size = categories.length + FIRST_BIN + 1;
    this.known = categories.length + (others?.length ?? 0);
    this.#unknown = others === null ? this.size - 1 : NEW;
    this.#mask = 2 ** Math.ceil(Math.log2(4 * this.known + 2)) - 1;
    this.#table = Array.from({ length: this.#mask + 1 });
    for (const [index, category] of categories.entries()) this.#enter(category, FIRST_BIN + index);
    for (const category of others ?? []) this.#enter(category, this.size - 1);
  }

  /** The slot of a text, by its bytes. */
  slotOf(source: Uint8Array, start: number, end: number): number {
    if (end - start > LONGEST) return this.size - 1;
    for (let at = hashBytes(source, start, end) & this.#mask; ; at = (at + 1) & this.#mask) {
      const entry = this.#table[at];
      if (entry === undefined) return this.#unknown;
      if (sameBytes(entry.bytes, source, start, end)) return entry.slot;
    }
  }

  slotOfText(text: string | null): number {
    if (text === null) return MISSING;
    const bytes = Buffer.from(text);
    return this.slotOf(bytes, 0, bytes.length);
  }

  #enter(category: string, slot: number): void {
    const bytes = Buffer.from(category);
    let at = hashBytes(bytes, 0, bytes.length) & this.#mask;
    while (this.#table[at] !== undefined) at = (at + 1) & this.#mask;
    this.#table[at] = { bytes, slot };
  }
}
