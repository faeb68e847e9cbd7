/** Text as PostgreSQL stores it: all but zero bytes, which are written out. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\\0');
}
