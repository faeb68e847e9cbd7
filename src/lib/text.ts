/** A name as an SQL identifier, always quoted: the only way a name enters a statement. */
export function ident(name: string): string {
  if (name.includes('\0')) throw new RangeError('an SQL identifier cannot hold a NUL byte');
  return `"${name.replaceAll('"', '""')}"`;
}

/** `schema.name`, both quoted. */
export function qualified(schema: string, name: string): string {
  return `${ident(schema)}.${ident(name)}`;
}

/** A text constant; our sessions keep standard_conforming_strings on. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Text as PostgreSQL stores it: all but zero bytes, which are written out. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\\0');
}

/** Whether PostgreSQL stores what JSON.stringify() wrote: neither a zero byte in a text nor half of a surrogate pair. */
export function isStorableJson(json: string): boolean {
  return !/(?<!\\)(?:\\\\)*\\(?:u0000|ud[89a-f])/.test(json);
}
