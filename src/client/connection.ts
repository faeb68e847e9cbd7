import { sqlState, isConnectionLoss } from '../postgres/sqlstate.ts';
import { PgscoreError, toPgscoreError } from '../errors.ts';

/** The caller's own connection: a `Client` or `PoolClient` of pg, or whatever has the same `query()`. */
export type Connection = { query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> };

/** An argument of a function in SQL: its name, its type, and the value; undefined leaves the default. */
export type Argument = readonly [name: string, type: string, value: unknown];

/**
 * Runs a statement and returns its rows.
 *
 * @throws PgscoreError for every error of PostgreSQL, see `databaseError`
 */
export async function rowsOf<Row>(connection: Connection, text: string, values: readonly unknown[]): Promise<Row[]> {
  try {
    return (await connection.query(text, [...values])).rows as Row[];
  } catch (error) {
    throw databaseError(error);
  }
}

/** Runs `select function(name => value, …)` with the given arguments and returns its one value. */
export async function callFunction(connection: Connection, name: string, args: readonly Argument[]): Promise<unknown> {
  const given = args.filter(([, , value]) => value !== undefined);
  const list = given.map(([argument, type], index) => `${argument} => $${index + 1}::${type}`).join(', ');
  const text = `select ${name}(${list}) as value`;
  const [row] = await rowsOf<{ value: unknown }>(connection, text, given.map(parameter));
  return row?.value;
}

/** node-pg writes an array as an array of SQL, so JSON has to be text already. */
function parameter([, type, value]: Argument): unknown {
  return type === 'jsonb' ? JSON.stringify(value) : value;
}

/**
 * An error of a statement as a PgscoreError. An error of PostgreSQL becomes `statement_failed` with PostgreSQL's message, its
 * hint as `remedy`, and the original, which has the SQLSTATE, as `cause`. A lost connection becomes `database_unreachable`.
 */
export function databaseError(error: unknown): PgscoreError {
  if (error instanceof PgscoreError) return error;
  if (sqlState(error) !== undefined) return statementFailed(error as DatabaseError);
  if (!isConnectionLoss(error)) return toPgscoreError(error);
  const reason = error instanceof Error ? error.message : String(error);
  return new PgscoreError('database_unreachable', `the connection to PostgreSQL broke: ${reason}`, {
    remedy: 'Check that PostgreSQL runs, then try again.',
    cause: error,
  });
}

type DatabaseError = { readonly message: string; readonly hint?: string };

function statementFailed(cause: DatabaseError): PgscoreError {
  const remedy = cause.hint ?? remedyFor(sqlState(cause), cause.message);
  return new PgscoreError('statement_failed', cause.message, { ...(remedy !== undefined && { remedy }), cause });
}

const REMEDIES: Readonly<Record<string, string>> = {
  '42P01':
    'Name it as SQL does: with its schema where that is not on the search path, and "Capitals" in double quotes.',
  '42602': 'Name it as SQL does: crm.customers, or "My Schema"."My Table".',
};

/** What to do where PostgreSQL gives no hint. */
function remedyFor(sqlstate: string | undefined, message: string): string | undefined {
  return sqlstate === '42501' ? grantFor(message) : REMEDIES[sqlstate ?? ''];
}

/** What to grant where PostgreSQL gives no hint. No membership gives a right to a table or view, or to a schema of somebody else. */
function grantFor(message: string): string {
  return /permission denied for (?!function|procedure|schema "?pgscore|view audit$)/.test(message)
    ? 'Its owner grants it: USAGE on a schema, and SELECT on what is read.'
    : 'A function or view of pgscore needs membership. To deploy or change models: grant pgscore_deployer to ROLE; to score: grant pgscore_user to ROLE; to read accuracy: grant pgscore_analyst to ROLE.';
}
