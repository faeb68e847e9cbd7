import { Field, makeData, RecordBatch, Schema, Struct, type Data } from 'apache-arrow';

/** A record batch of `rows` rows over finished columns, which it shares. `names` and `columns` go in pairs. */
export function recordBatch(names: readonly string[], columns: readonly Data[], rows: number): RecordBatch {
  const fields = columns.map((column, index) => new Field(names[index] ?? '', column.type, true));
  const children = [...columns];
  const data = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children });
  return new RecordBatch(new Schema(fields), data);
}

const LEAST_BYTES = 32;

/** The validity bitmap of a column under construction, as Arrow lays it out; made only at the first NULL. */
export class Validity {
  #bitmap: Uint8Array | null = null;
  #nullCount = 0;

  setNull(row: number): void {
    const bitmap = this.#reaching(row >> 3);
    const byte = bitmap[row >> 3] ?? 0;
    const bit = 1 << (row & 7);
    if ((byte & bit) === 0) return;
    bitmap[row >> 3] = byte & ~bit;
    this.#nullCount += 1;
  }

  /** Hands the bitmap of `rows` rows over and starts the next one. */
  take(rows: number): { nullCount: number; nullBitmap: Uint8Array | null } {
    if (this.#bitmap !== null) this.#reaching((rows - 1) >> 3);
    const taken = { nullCount: this.#nullCount, nullBitmap: this.#bitmap };
    this.#bitmap = null;
    this.#nullCount = 0;
    return taken;
  }

  #reaching(byte: number): Uint8Array {
    const known = this.#bitmap;
    if (known !== null && byte < known.length) return known;
    const grown = new Uint8Array(Math.max(byte + 1, LEAST_BYTES, 2 * (known?.length ?? 0))).fill(0xff);
    if (known !== null) grown.set(known);
    this.#bitmap = grown;
    return grown;
  }
}
