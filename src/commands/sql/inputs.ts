import { tokensOf } from './tokens.ts';
import type { Token } from './tokens.ts';

/** What is asked of the shell: a statement of SQL, with `\gset` or `\g` where one ended it, or a command such as `\dt`. */
export type Input =
  | { readonly kind: 'statement'; readonly text: string; readonly send?: string }
  | { readonly kind: 'meta'; readonly text: string };

export type Taken = { readonly inputs: Input[]; readonly rest: string };

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
  return token.text === ';' && parentheses(before) <= 0 && !insideBody(before);
}

function parentheses(tokens: readonly Token[]): number {
  return count(tokens, ['(']) - count(tokens, [')']);
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
