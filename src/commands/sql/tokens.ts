/** What the shell has to tell apart to find where a statement ends. `open` is a quote or comment without its end. */
export type TokenKind = 'space' | 'comment' | 'quoted' | 'word' | 'variable' | 'meta' | 'symbol' | 'open';

export type Token = { readonly kind: TokenKind; readonly text: string; readonly at: number };

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
