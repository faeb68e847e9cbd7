import { viewed } from '../lib/viewed-bytes.ts';
import type { ViewedBytes } from '../lib/viewed-bytes.ts';

/** The tail of a chunk that ended in the middle of a value, and what has arrived for it since. */
export class Carry {
  #chunk: ViewedBytes = viewed(new Uint8Array(256));
  #length = 0;

  get chunk(): ViewedBytes {
    return this.#chunk;
  }

  get length(): number {
    return this.#length;
  }

  append(source: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#chunk.bytes.length) this.#grow(length);
    this.#chunk.bytes.set(source.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#chunk.bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
  }

  #grow(needed: number): void {
    const grown = viewed(new Uint8Array(Math.max(needed, this.#chunk.bytes.length * 2)));
    grown.bytes.set(this.#chunk.bytes.subarray(0, this.#length));
    this.#chunk = grown;
  }
}
