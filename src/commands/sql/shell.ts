import type pg from 'pg';
import { PgscoreError } from '../../errors.ts';
import type { Cell } from '../table.ts';
import type { ShellActions } from './actions.ts';
import { refuseCopy } from './copy.ts';
import type { Question } from './describe.ts';
import type { Input } from './inputs.ts';
import { runMeta } from './meta.ts';
import { located } from './position.ts';
import { resultText } from './result.ts';
import type { TextResult } from './result.ts';
import { keepRow } from './gset.ts';
import { substitute } from './variables.ts';
import type { Variables } from './variables.ts';

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
