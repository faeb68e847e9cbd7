import { hashBytes, sameBytes } from '../lib/byte-hash.ts';

/** Where a row without a value stands, and one with a value that is not told apart. */
export const MISSING = 0;
export const OTHER = 1;

/** Values of a column that are told apart, as pgscore_data._name_segments() has it. */
const MOST_VALUES = 200;
/** Room for them, a fifth of which they take. */
const MASK = 1023;
/** Bytes of a hundred characters, which a read handle cuts values to: but it is the requester's, and may give her own. */
const LONGEST = 400;

type Entry = { readonly bytes: Uint8Array; readonly place: number };

/** The values of a segment's column that a job tells apart: those that are known, and new ones up to two hundred in all. */
export class SegmentValues {
  /** By place. */
  readonly names: (string | null)[] = [null, ':other'];
  readonly #first = this.names.length;
  readonly #table: (Entry | undefined)[] = Array.from({ length: MASK + 1 });

  constructor(known: readonly string[]) {
    for (const value of known) {
      const bytes = Buffer.from(value);
      this.placeOf(bytes, 0, bytes.length);
    }
  }

  /** Where a text stands, by its bytes. */
  placeOf(source: Uint8Array, start: number, end: number): number {
    if (end - start > LONGEST) return OTHER;
    for (let at = hashBytes(source, start, end) & MASK; ; at = (at + 1) & MASK) {
      const entry = this.#table[at];
      if (entry === undefined) return this.#meet(at, Uint8Array.from(source.subarray(start, end)));
      if (sameBytes(entry.bytes, source, start, end)) return entry.place;
    }
  }

  #meet(at: number, bytes: Uint8Array): number {
    const place = this.names.length;
    if (place >= this.#first + MOST_VALUES) return OTHER;
    this.#table[at] = { bytes, place };
    this.names.push(Buffer.from(bytes).toString());
    return place;
  }
}
