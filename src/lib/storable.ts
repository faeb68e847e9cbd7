/** Text as PostgreSQL stores it: all but zero bytes, which are written out. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\\0');
}

/** Whether PostgreSQL stores what JSON.stringify() wrote: neither a zero byte in a text nor half of a surrogate pair. */
export function isStorableJson(json: string): boolean {
  return !/(?<!\\)(?:\\\\)*\\(?:u0000|ud[89a-f])/.test(json);
}
