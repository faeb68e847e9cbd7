/**
 * A text of the model as a SQL literal, whatever standard_conforming_strings says.
 * @throws NativeRefusal for a text that PostgreSQL can't hold
 */
export function quoteText(text: string): string {
  if (text.includes('\0')) throw new NativeRefusal('a category or a name of the model holds a zero byte');
  if (/\p{Surrogate}/u.test(text))
    throw new NativeRefusal('a category or a name of the model holds half of a surrogate pair');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** A double, written so that it reads back as itself; its type comes from where it stands. */
export function untypedNumber(value: number): string {
  if (Number.isNaN(value)) return "'NaN'";
  if (!Number.isFinite(value)) return value > 0 ? "'Infinity'" : "'-Infinity'";
  return Object.is(value, -0) ? "'-0'" : `'${value}'`;
}

export function typedNumber(value: number): string {
  return `${untypedNumber(value)}::double precision`;
}

/** Why a version has no compiled function: it is scored online and in batches only. The message is for its deployer. */
export class NativeRefusal extends Error {
  override readonly name = 'NativeRefusal';
}
