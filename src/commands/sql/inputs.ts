import pg from 'pg';
import { ident } from '../../lib/text.ts';

/** What is asked of the shell: a statement of SQL, with `\gset` or `\g` where one ended it, or a command such as `\dt`. */
export type Input =
  | { readonly kind: 'statement'; readonly text: string; readonly send?: string }
  | { readonly kind: 'meta'; readonly text: string };

type Taken = { readonly inputs: Input[]; readonly rest: string };

/** Takes what is complete off a text that may go on; the rest is the beginning of a statement. */
export function takeInputs(text: string): Taken {
  const inputs: Input[] = [];
  let begin = 0;
  let pending: Token[] = [];
  for (const token of tokensOf(text)) {
    const end = token.at + token.text.length;
    if (token.kind === 'meta') inputs.push(metaInput(token, pending, text.slice(begin, token.at)));
    else if (!isEnd(token, pending)) {
      pending.push(token);
      continue;
    } else if (pending.some(isSubstance)) {
      inputs.push({ kind: 'statement', text: text.slice(begin, token.at).trim() });
    }
    begin = end;
    pending = [];
  }
  return { inputs, rest: pending.some(isSubstance) ? text.slice(begin) : '' };
}

/** Every statement of a text, the last one with or without its semicolon. */
export function allInputs(text: string): Input[] {
  const { inputs, rest } = takeInputs(text);
  return rest === '' ? inputs : [...inputs, { kind: 'statement', text: rest.trim() }];
}

function metaInput(token: Token, pending: readonly Token[], statement: string): Input {
  const text = token.text.trim();
  return pending.some(isSubstance) ? { kind: 'statement', text: statement.trim(), send: text } : { kind: 'meta', text };
}

function isEnd(token: Token, before: readonly Token[]): boolean {
  return token.text === ';' && count(before, ['(']) <= count(before, [')']) && !insideBody(before);
}

/** A function may have a body of statements between BEGIN ATOMIC and END. */
function insideBody(tokens: readonly Token[]): boolean {
  const head = tokens
    .filter(({ kind }) => kind === 'word')
    .slice(0, 4)
    .map(({ text }) => text.toLowerCase());
  if (head[0] !== 'create' || !head.some((word) => word === 'function' || word === 'procedure')) return false;
  return count(tokens, ['begin', 'case']) > count(tokens, ['end']);
}

function count(tokens: readonly Token[], texts: readonly string[]): number {
  return tokens.filter(({ text }) => texts.includes(text.toLowerCase())).length;
}

function isSubstance({ kind }: Token): boolean {
  return kind !== 'space' && kind !== 'comment';
}

/** What the shell has to tell apart to find where a statement ends. `open` is a quote or comment without its end. */
type TokenKind = 'space' | 'comment' | 'quoted' | 'word' | 'variable' | 'meta' | 'symbol' | 'open';

type Token = { readonly kind: TokenKind; readonly text: string; readonly at: number };

const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ['space', /\s+/y],
  ['comment', /--[^\n]*/y],
  ['quoted', /[eE]'(?:[^'\\]|\\.|'')*'/sy],
  ['open', /[eE]'/y],
  ['quoted', /'(?:[^']|'')*'/y],
  ['quoted', /"(?:[^"]|"")*"/y],
  ['open', /['"]/y],
  ['word', /[\p{L}_][\p{L}\p{N}_$]*/uy],
  ['word', /\d[\w.]*/y],
  ['symbol', /::|:=/y],
  ['variable', /:(?:\w+|'\w+'|"\w+")/y],
  ['meta', /\\[^\n]*/y],
];

const DOLLAR_QUOTE = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;

/** The tokens of a text of SQL statements and of commands to the shell; together they are the whole text. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; at += tokens.at(-1)?.text.length ?? 1) tokens.push(tokenAt(text, at));
  return tokens;
}

function tokenAt(text: string, at: number): Token {
  if (text.startsWith('/*', at)) return between(text, at, 'comment', endOfComment(text, at));
  const tag = match(DOLLAR_QUOTE, text, at);
  if (tag !== undefined) return between(text, at, 'quoted', endOfDollarQuote(text, at, tag));
  for (const [kind, pattern] of PATTERNS) {
    const found = match(pattern, text, at);
    if (found !== undefined) return { kind, text: kind === 'open' ? text.slice(at) : found, at };
  }
  return { kind: 'symbol', text: text.charAt(at), at };
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function between(text: string, at: number, kind: TokenKind, end: number | undefined): Token {
  return end === undefined ? { kind: 'open', text: text.slice(at), at } : { kind, text: text.slice(at, end), at };
}

function endOfDollarQuote(text: string, at: number, tag: string): number | undefined {
  const end = text.indexOf(tag, at + tag.length);
  return end === -1 ? undefined : end + tag.length;
}

/** Comments nest. */
function endOfComment(text: string, at: number): number | undefined {
  let depth = 0;
  for (const { 0: mark, index } of text.slice(at).matchAll(/\/\*|\*\//g)) {
    depth += mark === '/*' ? 1 : -1;
    if (depth === 0) return at + index + mark.length;
  }
  return undefined;
}

const MOST_CHARACTERS = 100;

/** An error of PostgreSQL with the line of the statement that it points at, and a mark under the place. */
export function located(error: unknown, statement: string): unknown {
  if (typeof error !== 'object' || error === null || !('position' in error)) return error;
  const position = Number(error.position);
  if (!Number.isInteger(position) || position < 1) return error;
  const { detail } = error as { detail?: string };
  return Object.assign(error, { detail: [pointAt(statement, position), ...(detail ? [detail] : [])].join('\n') });
}

/** `position` counts characters from 1. */
export function pointAt(statement: string, position: number): string {
  const before = Array.from(statement)
    .slice(0, position - 1)
    .join('');
  const line = before.split('\n').length;
  const start = before.lastIndexOf('\n') + 1;
  const column = before.length - start;
  const skipped = Math.max(0, column - MOST_CHARACTERS / 2);
  const whole = statement.slice(start).split('\n')[0] ?? '';
  const shown = whole.slice(skipped, skipped + MOST_CHARACTERS).replaceAll('\t', ' ');
  const label = `LINE ${line}: ${skipped > 0 ? '…' : ''}`;
  return `${label}${shown}\n${' '.repeat(label.length + column - skipped)}^`;
}

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
