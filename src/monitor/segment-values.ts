import { hashBytes, sameBytes } from '../lib/byte-hash.ts';

/** Where a row without a value stands, and one with a value that is not told apart. */
export const MISSING = 0;
export const OTHER = 1;

/** Named values of a column, as pgscore_data._name_segments() has it. */
const MOST_NAMED = 200;
/** Values without a name that the columns of a job share: some 50 MB, 190 MB where they are as long as may be. */
const MOST_UNNAMED = 100_000;
/** Bytes of a hundred characters, which a read handle cuts values to: but it is the requester's, and may give her own. */
const LONGEST = 400;

/** Values that each of so many columns of a job may add to those that it knows; none where no further one can get a name. */
export function roomForValues(known: number, columns: number): number {
  return known < MOST_NAMED ? Math.floor(MOST_UNNAMED / columns) : 0;
}

/**
 * The values of a segment's column that a job tells apart: those that have a name, and others as they come, up to `room`. Which
 * of these get a name is settled when the whole run is counted.
 */
export class SegmentValues {
  /** By place. */
  readonly names: (string | null)[] = [null, ':other'];
  /** The first place of a value without a name. */
  readonly firstUnnamed: number;
  readonly #most: number;
  readonly #bytes: (Uint8Array | undefined)[] = this.names.map(() => undefined);
  /** Places by the hash of their bytes; 0 is none. At most half full. */
  #table = new Uint32Array(1024);

  constructor(known: readonly string[], room: number) {
    this.#most = this.names.length + known.length + room;
    for (const value of known) {
      const bytes = Buffer.from(value);
      this.placeOf(bytes, 0, bytes.length);
    }
    this.firstUnnamed = this.names.length;
  }

  /** Where a text stands, by its bytes. */
  placeOf(source: Uint8Array, start: number, end: number): number {
    if (end - start > LONGEST) return OTHER;
    const mask = this.#table.length - 1;
    for (let at = hashBytes(source, start, end) & mask; ; at = (at + 1) & mask) {
      const place = this.#table[at] ?? 0;
      if (place === 0) return this.#meet(at, Buffer.from(source.subarray(start, end)));
      const bytes = this.#bytes[place];
      if (bytes !== undefined && sameBytes(bytes, source, start, end)) return place;
    }
  }

  #meet(at: number, bytes: Buffer): number {
    const place = this.names.length;
    if (place >= this.#most) return OTHER;
    this.#table[at] = place;
    this.#bytes[place] = bytes;
    this.names.push(bytes.toString());
    if (2 * place > this.#table.length) this.#grow();
    return place;
  }

  #grow(): void {
    const table = new Uint32Array(2 * this.#table.length);
    const mask = table.length - 1;
    for (const [place, bytes] of this.#bytes.entries()) {
      if (bytes === undefined) continue;
      let at = hashBytes(bytes, 0, bytes.length) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = place;
    }
    this.#table = table;
  }
}
