import { WireError } from './wire-error.ts';

/** What a query may ask for. None of it is SQL. */
export type Command =
  | { readonly name: 'score'; readonly request: string }
  | { readonly name: 'ping' | 'nothing' }
  | { readonly name: 'hello'; readonly welcome: string }
  | { readonly name: 'encoding'; readonly encoding: string };

const SCORE = 'score ';
const ENCODING = /^set\s+client_encoding\s*(?:\sto\s|=)\s*(?<quote>['"]?)(?<encoding>[\w-]+)\k<quote>$/i;

/** @throws WireError 0A000 for anything else */
export function readCommand(query: string): Command {
  const statement = withoutEnd(query);
  if (statement.startsWith(SCORE)) return { name: 'score', request: statement.slice(SCORE.length) };
  if (statement === 'ping') return { name: 'ping' };
  if (statement === '') return { name: 'nothing' };
  const encoding = ENCODING.exec(statement.slice(0, 100))?.groups?.['encoding'];
  if (encoding !== undefined && statement.length <= 100) return { name: 'encoding', encoding };
  throw notSupported('this port answers score() only, not SQL');
}

export function notSupported(message: string): WireError {
  return new WireError('0A000', message, {
    hint: 'Connect to the database itself, and call score() there.',
  });
}

export function checkEncoding(encoding: string): void {
  if (['UTF8', 'UNICODE'].includes(encoding.replaceAll(/[^a-z0-9]/gi, '').toUpperCase())) return;
  throw new WireError(
    '22023',
    `client_encoding "${encoding.slice(0, 63)}" is not supported: this port speaks UTF8 only`,
    {
      hint: 'Leave client_encoding at UTF8; PostgreSQL converts for its own clients.',
    },
  );
}

function withoutEnd(query: string): string {
  const trimmed = query.trim();
  return trimmed.endsWith(';') ? trimmed.slice(0, -1).trimEnd() : trimmed;
}
