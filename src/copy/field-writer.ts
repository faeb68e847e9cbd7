import { copyBytes, viewed, type ViewedBytes } from '../lib/bytes.ts';

const ELEMENT_OIDS = { int4: 23, text: 25, float4: 700, float8: 701, timestamptz: 1184 } as const;

export type ElementType = keyof typeof ELEMENT_OIDS;

/**
 * Writes the fields of binary COPY tuples one after the other. The buffer is uninitialised memory, sized by a bound on
 * what will be written; only what was written leaves it.
 */
export class FieldWriter {
  readonly #buffer: Buffer;
  readonly #target: ViewedBytes;
  readonly #view: DataView;
  #at = 0;

  constructor(maxBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(maxBytes);
    this.#target = viewed(this.#buffer);
    this.#view = this.#target.view;
  }

  beginTuple(fields: number): void {
    this.#view.setInt16(this.#at, fields);
    this.#at += 2;
  }

  null(): void {
    this.#view.setInt32(this.#at, -1);
    this.#at += 4;
  }

  /** A number that is part of a field. */
  int4(value: number): void {
    this.#view.setInt32(this.#at, value);
    this.#at += 4;
  }

  float8(value: number): void {
    this.#view.setInt32(this.#at, 8);
    this.#view.setFloat64(this.#at + 4, value);
    this.#at += 12;
  }

  float4(value: number): void {
    this.#view.setInt32(this.#at, 4);
    this.#view.setFloat32(this.#at + 4, value);
    this.#at += 8;
  }

  bool(value: boolean): void {
    this.int4(1);
    this.#view.setInt8(this.#at, value ? 1 : 0);
    this.#at += 1;
  }

  int4Field(value: number): void {
    this.int4(4);
    this.int4(value);
  }

  /** A whole number that JavaScript holds exactly. */
  int8Field(value: number): void {
    this.int4(8);
    this.int4(Math.floor(value / 2 ** 32));
    this.int4((value % 2 ** 32) | 0);
  }

  text(value: string): void {
    const bytes = this.#buffer.write(value, this.#at + 4);
    this.int4(bytes);
    this.#at += bytes;
  }

  /** A text of JSON, behind the number of the format's version. */
  jsonb(json: string): void {
    const field = this.beginField();
    this.#view.setInt8(this.#at, 1);
    this.#at += 1 + this.#buffer.write(json, this.#at + 1);
    this.endField(field);
  }

  /** A field whose parts are written next; what is returned, endField() is to be given. */
  beginField(): number {
    this.#at += 4;
    return this.#at;
  }

  /** A field that is an array of these lengths, whose elements are written next; what is returned, endField() is to be given. */
  beginArray(type: ElementType, ...lengths: readonly number[]): number {
    const field = this.beginField();
    // See array_recv() of PostgreSQL: dimensions, whether there may be NULLs, type; length and first index of each dimension.
    for (const value of [lengths.length, 1, ELEMENT_OIDS[type]]) this.int4(value);
    for (const length of lengths) {
      this.int4(length);
      this.int4(1);
    }
    return field;
  }

  endField(start: number): void {
    this.#view.setInt32(start - 4, this.#at - start);
  }

  /** The bytes of `source` from `start` to `end` as a field. */
  value(source: ViewedBytes, start: number, end: number): void {
    this.#view.setInt32(this.#at, end - start);
    this.#at += 4;
    this.#copy(source, start, end);
  }

  /** A field made by `encodedField`. */
  encoded(field: ViewedBytes): void {
    this.#copy(field, 0, field.bytes.length);
  }

  /** How many bytes were written. */
  get length(): number {
    return this.#at;
  }

  /** What was written. */
  written(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  #copy(source: ViewedBytes, start: number, end: number): void {
    copyBytes(source, start, end, this.#target, this.#at);
    this.#at += end - start;
  }
}

/** A value with its length before it, for fields that are written often. */
export function encodedField(value: Uint8Array): ViewedBytes {
  const field = Buffer.alloc(4 + value.length);
  field.writeInt32BE(value.length);
  field.set(value, 4);
  return viewed(field);
}
