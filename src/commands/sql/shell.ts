import { createInterface, type Interface } from 'node:readline';
import { readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { PgscoreError } from '../../errors.ts';
import type { Cell } from '../output.ts';
import { type ShellActions, refuseCopy, type Question, runMeta, keepRow } from './meta.ts';
import { type Input, located, substitute, type Variables, takeInputs } from './inputs.ts';
import { resultText, type TextResult } from './result.ts';
import { failureOf, failureText } from '../failure.ts';

/** Every value as the server wrote it. */
const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => value };

/** Runs statements and commands on one connection and prints what comes of them. */
export class Shell implements ShellActions {
  readonly client: pg.Client;
  readonly variables: Variables = new Map();
  readonly print: (text: string) => void;
  #expanded = false;
  #timing: boolean;
  #left = false;

  constructor(client: pg.Client, print: (text: string) => void, timing: boolean) {
    this.client = client;
    this.print = print;
    this.#timing = timing;
  }

  /** Whether `\q` was asked for. */
  get left(): boolean {
    return this.#left;
  }

  leave(): void {
    this.#left = true;
  }

  toggle(what: 'expanded' | 'timing'): void {
    if (what === 'expanded') this.#expanded = !this.#expanded;
    else this.#timing = !this.#timing;
    this.print(`${what} is ${(what === 'expanded' ? this.#expanded : this.#timing) ? 'on' : 'off'}`);
  }

  filled(text: string): string {
    return substitute(text, this.variables);
  }

  /** Raises the error of PostgreSQL, with the place that it points at. */
  async run(input: Input): Promise<void> {
    if (this.#left) return;
    if (input.kind === 'meta') await runMeta(this, input.text);
    else await this.#statement(input.text, input.send ?? '\\g');
  }

  async show({ text, values }: Question): Promise<void> {
    this.print(resultText(await this.#query(text, values), this.#expanded));
  }

  async #statement(written: string, send: string): Promise<void> {
    const text = this.filled(written);
    refuseSend(send);
    refuseCopy(text);
    const began = performance.now();
    const result = await this.#query(text, []).catch((error: unknown) => {
      throw located(error, text);
    });
    if (send === '\\g') this.print(resultText(result, this.#expanded));
    else keepRow(result, this.variables, send.slice('\\gset'.length).trim());
    if (this.#timing) this.print(`Time: ${(performance.now() - began).toFixed(1)} ms`);
  }

  #query(text: string, values: readonly unknown[]): Promise<TextResult> {
    return this.client.query<Cell[]>({ text, values: [...values], rowMode: 'array', types: AS_TEXT });
  }
}

function refuseSend(send: string): void {
  if (/^\\g(set\b.*)?$/.test(send)) return;
  throw new PgscoreError('usage', `${send} cannot end a statement`, { remedy: 'End it with ; or \\g or \\gset.' });
}

/** Asks for lines until `\q` or Ctrl-D, and runs what is complete. Ctrl-C cancels a statement, or forgets the line. */
export async function converse(shell: Shell, cancel: () => Promise<void>): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, history: await readHistory() });
  let history: string[] = [];
  lines.on('history', (all: string[]) => (history = all));
  let running = false;
  let pending = '';
  const ask = (): void => {
    lines.setPrompt(promptOf(shell, pending));
    lines.prompt();
  };
  lines.on('SIGINT', () => {
    if (running) void cancel().catch(() => undefined);
    else {
      pending = '';
      forgetLine(lines);
      ask();
    }
  });
  ask();
  for await (const line of lines) {
    const { inputs, rest } = takeInputs(`${pending}${line}\n`);
    pending = rest;
    running = true;
    for (const input of inputs) await shell.run(input).catch((error: unknown) => tell(error));
    running = false;
    if (shell.left) break;
    ask();
  }
  lines.close();
  await writeHistory(history);
}

function promptOf({ client }: Shell, pending: string): string {
  const state = { I: '', T: '*', E: '!' }[client.getTransactionStatus() ?? 'I'];
  return `${client.database ?? ''}${pending === '' ? '=' : '-'}${state}> `;
}

function forgetLine(lines: Interface): void {
  process.stdout.write('\n');
  lines.write(null, { ctrl: true, name: 'e' });
  lines.write(null, { ctrl: true, name: 'u' });
}

function tell(error: unknown): void {
  process.stdout.write(`${failureText(failureOf(error))}\n`);
}

const MOST_LINES = 1000;

const file = (): string => join(homedir(), '.pgscore_history');

/** The lines that were typed in earlier sessions, the newest first, as readline wants them. */
async function readHistory(): Promise<string[]> {
  const text = await readFile(file(), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** Keeps the lines for the next session, but those that may hold a password. A home that cannot be written is no reason to fail. */
async function writeHistory(lines: readonly string[]): Promise<void> {
  const kept = lines.filter((line) => !/password/i.test(line)).slice(0, MOST_LINES);
  await writeFile(file(), `${kept.join('\n')}\n`, { mode: 0o600 }).catch(() => undefined);
}
