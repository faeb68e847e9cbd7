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
