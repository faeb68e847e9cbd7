import pg from 'pg';
import { ident } from '../../lib/ident.ts';
import { tokensOf } from './tokens.ts';

/** The variables of the shell, which \gset and \set fill. */
export type Variables = Map<string, string>;

/** Puts variables in their places: `:name` as it is, `:'name'` as a literal, `:"name"` as an identifier. Unknown ones stay. */
export function substitute(text: string, variables: Variables): string {
  return tokensOf(text)
    .map((token) => (token.kind === 'variable' ? (valueOf(token.text, variables) ?? token.text) : token.text))
    .join('');
}

function valueOf(reference: string, variables: Variables): string | undefined {
  const quote = reference.charAt(1);
  const value = variables.get(reference.replaceAll(/\W/g, ''));
  if (value === undefined) return undefined;
  if (quote === "'") return pg.escapeLiteral(value);
  return quote === '"' ? ident(value) : value;
}
