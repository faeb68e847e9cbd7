import { type Data, type RecordBatch, Int, Utf8 } from 'apache-arrow';

/** The column of a batch with this name. */
export function columnNamed(batch: RecordBatch, name: string): Data | undefined {
  const index = batch.schema.fields.findIndex((field) => field.name === name);
  return index === -1 ? undefined : batch.data.children[index];
}

/** The bitmap that says whether a value is there; null where all are. */
export function validityOf(column: Data): Uint8Array | null {
  return column.nullCount === 0 ? null : column.nullBitmap;
}

export function isThere(validity: Uint8Array | null, row: number): boolean {
  return validity === null || ((validity[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
}

export function isText(column: Data): column is Data<Utf8> {
  return column.type instanceof Utf8;
}

/** Puts the numbers of a column into `doubles`, NaN for what is missing: one type of array keeps the loops over them fast. */
export function doublesOf(column: Data, doubles: Float64Array): void {
  const { values, length, type } = column;
  if (type instanceof Int && type.bitWidth === 64) fromLongs(values, length, doubles);
  else doubles.set((values as Float64Array).subarray(0, length));
  const validity = validityOf(column);
  if (validity === null) return;
  for (let row = 0; row < length; row += 1) if (!isThere(validity, row)) doubles[row] = Number.NaN;
}

function fromLongs({ buffer, byteOffset }: ArrayBufferView, length: number, doubles: Float64Array): void {
  const words = new Int32Array(buffer, byteOffset, 2 * length);
  for (let row = 0; row < length; row += 1) {
    doubles[row] = (words[2 * row + 1] ?? 0) * 4_294_967_296 + ((words[2 * row] ?? 0) >>> 0);
  }
}
