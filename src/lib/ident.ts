/** A name as an SQL identifier, always quoted: the only way a name enters a statement. */
export function ident(name: string): string {
  if (name.includes('\0')) throw new RangeError('an SQL identifier cannot hold a NUL byte');
  return `"${name.replaceAll('"', '""')}"`;
}

/** `schema.name`, both quoted. */
export function qualified(schema: string, name: string): string {
  return `${ident(schema)}.${ident(name)}`;
}
