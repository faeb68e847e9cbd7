/** Bytes and a big-endian view of the same memory, which are made together: a DataView for each value would cost 100 ns. */
export type ViewedBytes = { readonly bytes: Uint8Array; readonly view: DataView };

export function viewed(bytes: Uint8Array): ViewedBytes {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** From here on the native copy, which costs 100 ns whatever the length, is the faster one. */
const LONG = 128;

/** Copies the bytes of `source` from `start` to `end` to `at` in `target`; made for the short values that tables hold. */
export function copyBytes(source: ViewedBytes, start: number, end: number, target: ViewedBytes, at: number): void {
  if (end - start >= LONG) {
    target.bytes.set(source.bytes.subarray(start, end), at);
    return;
  }
  let read = start;
  let write = at;
  for (; end - read >= 4; read += 4, write += 4) target.view.setInt32(write, source.view.getInt32(read));
  for (; read < end; read += 1, write += 1) target.view.setUint8(write, source.view.getUint8(read));
}

/** FNV-1a, and its upper bits brought down: texts that differ in their last letter only lie apart. */
export function hashBytes(source: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5 ^ (end - start);
  for (let at = start; at < end; at += 1) value = Math.imul(value ^ (source[at] ?? 0), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}

/** Whether the bytes of `source` from `start` to `end` are these. */
export function sameBytes(bytes: Uint8Array, source: Uint8Array, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] !== source[start + at]) return false;
  return true;
}
