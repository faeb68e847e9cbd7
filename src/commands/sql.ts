import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type pg from 'pg';
import { connectAsPerson } from '../postgres/connect.ts';
import { PgscoreError } from '../errors.ts';
import { VERSION } from '../version.ts';
import { urlOrDemo } from './demo-location.ts';
import { databaseCommand, invocation, type Invocation } from './invocation.ts';
import { settingOption } from './options.ts';
import { withClient } from './connection.ts';
import { allInputs, type Input } from './sql/inputs.ts';
import { converse, Shell } from './sql/shell.ts';
import { visible } from './output.ts';

const DESCRIPTION = `A small SQL shell, for the embedded PostgreSQL comes without psql.

On a terminal it asks for statements, which end with ; and may take several lines; \\? lists its commands. Otherwise it
runs the statements of standard input, and stops at the first error. Without a database it connects to the demo that was
last started in this folder.`;

const EXAMPLES = `
Examples:
  pgscore sql
  pgscore sql -c 'select * from pgscore.models'
  pgscore sql < story.sql`;

export function addSql(program: Command): void {
  databaseCommand(program, 'sql')
    .summary('run SQL: a prompt, a statement, or a script')
    .description(DESCRIPTION)
    .option('-c, --command <sql>', 'run these statements, and leave; may be given more than once', appended)
    .addOption(settingOption('dataDir'))
    .addHelpText('after', EXAMPLES)
    .action((options: { command?: string[] }, command: Command) => sql(options.command, invocation(command)));
}

function appended(statements: string, before: string[] | undefined): string[] {
  return [...(before ?? []), statements];
}

async function sql(statements: string[] | undefined, { flags, output }: Invocation): Promise<void> {
  const url = await urlOrDemo(flags);
  const connect = () => connectAsPerson({ url, applicationName: 'pgscore sql' });
  const interactive = statements === undefined && process.stdin.isTTY;
  await withClient(connect(), async (client) => {
    client.on('notice', (notice) => output.note(noticeText(notice)));
    if (output.json) {
      const rows = await lastRows(client, await given(statements));
      output.result(rows, () => '');
      return;
    }
    const shell = new Shell(client, (line) => process.stdout.write(`${line}\n`), interactive);
    if (interactive) {
      output.note(`pgscore ${VERSION}; PostgreSQL ${await versionOf(client)}. \\? for help, \\q to leave.`);
      await converse(shell, () => withClient(connect(), (other) => cancelQuery(other, client)));
    } else {
      for (const input of await given(statements)) await shell.run(input);
    }
  });
}

async function given(statements: string[] | undefined): Promise<Input[]> {
  return (statements ?? [await text(process.stdin)]).flatMap((part) => [...allInputs(part)]);
}

/** The rows of the last statement, with values as JSON has them. */
async function lastRows(client: pg.Client, inputs: Input[]): Promise<unknown[]> {
  let rows: unknown[] = [];
  for (const input of inputs) {
    if (input.kind === 'meta') throw new PgscoreError('usage', `${input.text} has no result for --json`);
    ({ rows } = await client.query(input.text));
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

type Notice = Readonly<Record<'severity' | 'message' | 'detail' | 'hint', string | undefined>>;

function noticeText({ severity, message, detail, hint }: Notice): string {
  const lines = [`${severity ?? 'NOTICE'}:  ${message ?? ''}`];
  if (detail !== undefined) lines.push(`DETAIL:  ${detail}`);
  if (hint !== undefined) lines.push(`HINT:  ${hint}`);
  return visible(lines.join('\n'));
}
