/** The validity bitmap of a column under construction, as Arrow lays it out; made only at the first NULL. */
export class Validity {
  readonly #capacity: number;
  #bitmap: Uint8Array | null = null;
  #nullCount = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  setNull(row: number): void {
    this.#bitmap ??= new Uint8Array((this.#capacity + 7) >> 3).fill(0xff);
    const byte = this.#bitmap[row >> 3] ?? 0;
    const bit = 1 << (row & 7);
    if ((byte & bit) === 0) return;
    this.#bitmap[row >> 3] = byte & ~bit;
    this.#nullCount += 1;
  }

  /** Hands the bitmap over and starts the next one. */
  take(): { nullCount: number; nullBitmap: Uint8Array | null } {
    const taken = { nullCount: this.#nullCount, nullBitmap: this.#bitmap };
    this.#bitmap = null;
    this.#nullCount = 0;
    return taken;
  }
}
