import type { Command } from 'commander';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { callFunction, type Argument } from '../client/connection.ts';
import { inDatabase, inPersonsDatabase } from './connection.ts';
import { invocation } from './options.ts';
import { listOf, tableOf, visible, type Output, type Row } from './output.ts';

/** Calls a function of pgscore, and prints what `describe` says of its value: for programs, and for people. */
export async function printCall(
  command: Command,
  name: string,
  args: readonly Argument[],
  describe: (value: unknown) => readonly [result: object, text: string],
): Promise<void> {
  const { flags, output } = invocation(command);
  const value = await inPersonsDatabase(flags, (client) => {
    noteNotices(client, output);
    return callFunction(client, name, args);
  });
  const [result, text] = describe(value);
  output.result(result, () => text);
}

type Listing = {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** The rows are of this model. */
  readonly model?: string | undefined;
  /** The rows are of this schedule. */
  readonly schedule?: string | undefined;
  /** What people see of a row; programs see all of it. */
  readonly shown?: (row: Row) => Row;
  /** Printed where there is no row. */
  readonly nothing: string;
};

/** Runs a query, and prints its rows. */
export async function printRows(
  command: Command,
  { text, values = [], model, schedule, shown = (row) => row, nothing }: Listing,
): Promise<void> {
  const { flags, output } = invocation(command);
  const rows = await inDatabase(flags, async (client) => {
    const found = await client.query<Row>(text, [...values]);
    // A misspelt name would look like a model or a schedule without rows.
    if (found.rows.length === 0 && model !== undefined) await describeModel(client, model);
    if (found.rows.length === 0 && schedule !== undefined) await findSchedule(client, schedule);
    return found.rows;
  });
  output.result(rows, () => tableOf(rows.map(shown), nothing));
}

/** Some columns of a row, as a list with commas. */
export function columns(list: string): (row: Row) => Row {
  return (row) => Object.fromEntries(list.split(', ').map((name) => [name, row[name]]));
}

/** The properties of a version by name, as pgscore.describe_model() gives them; raises where there is none. */
export async function describeModel(client: pg.Client, name: string): Promise<Row> {
  const { rows } = await client.query<{ property: string; value: string }>('select * from pgscore.describe_model($1)', [
    name,
  ]);
  return Object.fromEntries(rows.map(({ property, value }) => [property, value]));
}

async function findSchedule(client: pg.Client, name: string): Promise<void> {
  const text = `select from pgscore.schedules where name = $1 or owner || '.' || name = $1`;
  if ((await client.query(text, [name])).rows.length > 0) return;
  throw new PgscoreError('usage', `schedule "${name}" does not exist, or is not yours`, {
    remedy: 'pgscore schedule list lists yours.',
  });
}

/** Prints a version: its properties for people; for programs its row of pgscore.models, in which `version` is such as churn@3. */
export async function printVersion(client: pg.Client, output: Output, name: string): Promise<void> {
  const described = await describeModel(client, name);
  const { rows } = await client.query<Row>(`select * from pgscore.models where model || '@' || version = $1`, [
    described['version'],
  ]);
  output.result({ ...rows[0], version: described['version'] }, () => listOf(described));
}

type Notice = Readonly<Record<'severity' | 'message' | 'detail' | 'hint', string | undefined>>;

function noticeText({ severity, message, detail, hint }: Notice): string {
  const lines = [`${severity ?? 'NOTICE'}:  ${message ?? ''}`];
  if (detail !== undefined) lines.push(`DETAIL:  ${detail}`);
  if (hint !== undefined) lines.push(`HINT:  ${hint}`);
  return visible(lines.join('\n'));
}

/** Prints what the server remarks beside its results, as psql does. */
export function noteNotices(client: pg.Client, output: Output): void {
  client.on('notice', (notice) => output.note(noticeText(notice)));
}
