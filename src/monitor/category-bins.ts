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
    for (let at = hash(source, start, end) & this.#mask; ; at = (at + 1) & this.#mask) {
      const entry = this.#table[at];
      if (entry === undefined) return this.#unknown;
      if (holds(entry.bytes, source, start, end)) return entry.slot;
    }
  }

  slotOfText(text: string | null): number {
    if (text === null) return MISSING;
    const bytes = Buffer.from(text);
    return this.slotOf(bytes, 0, bytes.length);
  }

  #enter(category: string, slot: number): void {
    const bytes = Buffer.from(category);
    let at = hash(bytes, 0, bytes.length) & this.#mask;
    while (this.#table[at] !== undefined) at = (at + 1) & this.#mask;
    this.#table[at] = { bytes, slot };
  }
}

/** FNV-1a, and its upper bits brought down: texts that differ in their last letter only lie apart. */
function hash(source: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5 ^ (end - start);
  for (let at = start; at < end; at += 1) value = Math.imul(value ^ (source[at] ?? 0), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}

function holds(bytes: Uint8Array, source: Uint8Array, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] !== source[start + at]) return false;
  return true;
}
