import { createInterface, type Interface } from 'node:readline';
import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { PgscoreError } from '../../errors.ts';
import { unreadable } from '../../client/model-file.ts';
import { type Cell, formatTable } from '../output.ts';
import { type Input, located, substitute, takeInputs, tokensOf, type Variables } from './inputs.ts';
import { failureOf, failureText } from '../failure.ts';

/** Every value as the server wrote it. */
const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => value };

const HELP = `A statement ends with ; and may take several lines.
…\\gset           run it and keep its one row in variables: :name, :'name' or :"name"
\\lo_import FILE  a file as a large object; its number is in :LASTOID
\\?               this help
\\q               leave`;

/** Runs statements on one connection and prints what comes of them. */
export class Shell {
  readonly client: pg.Client;
  readonly #variables: Variables = new Map();
  readonly #print: (text: string) => void;
  #left = false;

  constructor(client: pg.Client, print: (text: string) => void) {
    this.client = client;
    this.#print = print;
  }

  /** Whether `\q` was asked for. */
  get left(): boolean {
    return this.#left;
  }

  /** Raises the error of PostgreSQL, with the place that it points at. */
  async run(input: Input): Promise<void> {
    if (this.#left) return;
    if (input.kind === 'meta') await this.#command(input.text);
    else await this.#statement(input.text, input.send);
  }

  async #statement(written: string, send: string | undefined): Promise<void> {
    const text = substitute(written, this.#variables);
    if (send !== undefined && !/^\\gset\b/.test(send)) throw unknown(send);
    refuseCopy(text);
    const result = await this.client
      .query<Cell[]>({ text, values: [], rowMode: 'array', types: AS_TEXT })
      .catch((error: unknown) => {
        throw located(error, text);
      });
    if (send === undefined) this.#print(resultText(result));
    else keepRow(result, this.#variables, send.slice('\\gset'.length).trim());
  }

  async #command(text: string): Promise<void> {
    const [name = '', argument = ''] = text.split(/\s+(.*)/s);
    if (name === '\\q') this.#left = true;
    else if (name === '\\?') this.#print(HELP);
    else if (name === '\\lo_import') await this.#import(argument.trim().replace(/;$/, ''));
    else throw unknown(name);
  }

  async #import(file: string): Promise<void> {
    const bytes = await readFile(file).catch((cause: unknown) => unreadable(file, cause));
    const { rows } = await this.client.query<{ oid: string }>('select pg_catalog.lo_from_bytea(0, $1)::text as oid', [
      bytes,
    ]);
    const oid = rows[0]?.oid ?? '';
    this.#variables.set('LASTOID', oid);
    this.#print(`lo_import ${oid}`);
  }
}

function unknown(name: string): PgscoreError {
  return new PgscoreError('usage', `${name} is not known`, { remedy: '\\? lists the commands; psql has more.' });
}

/** Keeps the values of the one row of a result in variables named like its columns, after `prefix`; NULL unsets one. */
function keepRow({ rows, fields }: TextResult, variables: Variables, prefix: string): void {
  const [row, ...more] = rows;
  if (row === undefined || more.length > 0) {
    throw new PgscoreError('usage', `the statement gave ${rows.length} rows; \\gset keeps one`, {
      remedy: 'Add a condition or LIMIT 1.',
    });
  }
  fields.forEach(({ name }, index) => {
    const value = row[index] ?? null;
    if (value === null) variables.delete(prefix + name);
    else variables.set(prefix + name, value);
  });
}

/** COPY from or to the client has a protocol of its own, which this shell does not speak. */
function refuseCopy(statement: string): void {
  const words = tokensOf(statement).flatMap(({ kind, text }) => (kind === 'word' ? [text.toLowerCase()] : []));
  if (words[0] !== 'copy' || !words.some((word) => word === 'stdin' || word === 'stdout')) return;
  throw new PgscoreError('usage', 'this shell does not speak COPY from or to the client', {
    remedy: 'Use psql for it.',
  });
}

/** Asks for lines until `\q` or Ctrl-D, and runs what is complete. Ctrl-C cancels a statement, or forgets the line. */
export async function converse(shell: Shell, cancel: () => Promise<void>): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
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
    for (const input of inputs)
      await shell.run(input).catch((error: unknown) => process.stdout.write(`${failureText(failureOf(error))}\n`));
    running = false;
    if (shell.left) break;
    ask();
  }
  lines.close();
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

/** Rows as the server wrote them, each value as text. */
type TextResult = Pick<pg.QueryArrayResult<Cell[]>, 'rows' | 'fields' | 'command' | 'rowCount'>;

/** int2, int4, int8, oid, float4, float8, numeric, money */
const NUMBERS = [21, 23, 20, 26, 700, 701, 1700, 790];

/** A result for people: a table with its number of rows, or what the statement did. */
function resultText(result: TextResult): string {
  if (result.fields.length === 0) return [result.command, result.rowCount].filter((part) => part !== null).join(' ');
  const rows = `(${result.rows.length} ${result.rows.length === 1 ? 'row' : 'rows'})`;
  return `${table(result)}\n${rows}`;
}

function table({ fields, rows }: TextResult): string {
  const columns = fields.map(({ name, dataTypeID }) => ({ name, right: NUMBERS.includes(dataTypeID) }));
  return formatTable(columns, rows);
}
