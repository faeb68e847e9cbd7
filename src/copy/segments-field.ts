import type { SegmentPlaces } from '../lib/segment-places.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';
import { encodedField } from './field-writer.ts';
import type { FieldWriter } from './field-writer.ts';

/** Dimensions, flags, type, elements and lower bound of an array. */
const HEADER_BYTES = 20;
const ONE_DIMENSION = 1;
const TEXT_OID = 25;

const NULL_VALUE = ((): ViewedBytes => {
  const bytes = Buffer.alloc(4, 0xff);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
})();

/** The values of a row's segments as one text[]. */
export class SegmentsField {
  readonly #encoded: ViewedBytes[][] = [];
  readonly #longest: number[] = [];

  /** Most bytes that the field of a row can take. */
  maxBytes({ values }: SegmentPlaces): number {
    for (const [column, of] of values.entries()) this.#encode(of, column);
    return this.#longest.reduce((sum, bytes) => sum + bytes, 4 + HEADER_BYTES);
  }

  /** Writes the field of `row`; to be called after `maxBytes` of the same batch. */
  write(writer: FieldWriter, { places }: SegmentPlaces, row: number): void {
    const elements = places.map((place, column) => this.#encoded[column]?.[place[row] ?? 0] ?? NULL_VALUE);
    writer.int4(elements.reduce((sum, { bytes }) => sum + bytes.length, HEADER_BYTES));
    writer.int4(ONE_DIMENSION);
    writer.int4(elements.includes(NULL_VALUE) ? 1 : 0);
    writer.int4(TEXT_OID);
    writer.int4(elements.length);
    writer.int4(1);
    for (const element of elements) writer.encoded(element);
  }

  /** Encodes the values that came to a column since. */
  #encode(values: readonly (string | null)[], column: number): void {
    const encoded = (this.#encoded[column] ??= []);
    for (const value of values.slice(encoded.length)) {
      const field = value === null ? NULL_VALUE : encodedField(Buffer.from(value));
      encoded.push(field);
      this.#longest[column] = Math.max(this.#longest[column] ?? 4, field.bytes.length);
    }
  }
}
