import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type pg from 'pg';
import { connectAsPerson } from '../postgres/connect.ts';
import { PgscoreError } from '../errors.ts';
import { unreadable } from '../client/model-file.ts';
import { VERSION } from '../version.ts';
import { urlOrDemo, withClient } from './connection.ts';
import { databaseCommand, invocation, type Invocation, settingOption } from './options.ts';
import { allInputs, type Input } from './sql/inputs.ts';
import { jsonRows } from './sql/json-rows.ts';
import { converse, Shell } from './sql/shell.ts';
import { noteNotices } from './print.ts';

const DESCRIPTION = `Runs SQL: a file, standard input, or statements that are asked for on a terminal. The embedded PostgreSQL comes without
psql, which can do more.

A statement ends with ; and may take several lines. Other than on a terminal, the first error ends it. Without a database it
connects to the demo that was last started in this folder. --json prints the rows of the last statement: a value that JSON has
no form for, such as a time or NaN, is the text that the server writes.`;

const EXAMPLES = `
Examples:
  pgscore sql
  pgscore sql -c 'select * from pgscore.models'
  pgscore sql story.sql`;

export function addSql(program: Command): void {
  databaseCommand(program, 'sql')
    .summary('run SQL: a prompt, a statement, or a script')
    .description(DESCRIPTION)
    .argument('[file]', 'run the statements of this file, and leave; - is standard input')
    .option('-c, --command <sql>', 'run these statements, and leave; may be given more than once', appended)
    .addOption(settingOption('dataDir'))
    .addHelpText('after', EXAMPLES)
    .action((file: string | undefined, options: { command?: string[] }, command: Command) =>
      sql(file, options.command, invocation(command)),
    );
}

function appended(statements: string, before: string[] | undefined): string[] {
  return [...(before ?? []), statements];
}

async function sql(
  file: string | undefined,
  commands: string[] | undefined,
  { flags, output }: Invocation,
): Promise<void> {
  const statements = await statementsOf(file, commands);
  const url = await urlOrDemo(flags);
  const connect = () => connectAsPerson({ url, applicationName: 'pgscore sql' });
  const interactive = statements === undefined && process.stdin.isTTY;
  await withClient(connect(), async (client) => {
    noteNotices(client, output);
    const inputs = async (): Promise<Input[]> => (statements ?? [await text(process.stdin)]).flatMap(allInputs);
    if (output.json) {
      const rows = await lastRows(client, await inputs());
      output.result(rows, () => '');
      return;
    }
    const shell = new Shell(client, (line) => process.stdout.write(`${line}\n`));
    if (interactive) {
      output.note(`pgscore ${VERSION}; PostgreSQL ${await versionOf(client)}. \\q to leave.`);
      await converse(shell, () => withClient(connect(), (other) => cancelQuery(other, client)));
    } else {
      for (const input of await inputs()) await shell.run(input);
    }
  });
}

/** Undefined where they come from standard input or the terminal. */
async function statementsOf(file: string | undefined, commands: string[] | undefined): Promise<string[] | undefined> {
  if (file === undefined) return commands;
  if (commands !== undefined) throw new PgscoreError('usage', 'a file and --command can not go together');
  if (file === '-') return [await text(process.stdin)];
  return [await readFile(file, 'utf8').catch((cause: unknown) => unreadable(file, cause))];
}

/** The rows of the last statement. */
async function lastRows(client: pg.Client, inputs: Input[]): Promise<object[]> {
  let rows: object[] = [];
  for (const input of inputs) {
    if (input.kind === 'meta') throw new PgscoreError('usage', `${input.text} has no result for --json`);
    rows = await jsonRows(client, input.text);
  }
  return rows;
}

async function versionOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ server_version: string }>('show server_version');
  return rows[0]?.server_version ?? '';
}

async function cancelQuery(client: pg.Client, busy: pg.Client & { processID?: number }): Promise<void> {
  await client.query('select pg_catalog.pg_cancel_backend($1)', [busy.processID]);
}
