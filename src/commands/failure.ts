import { databaseError } from '../client/connection.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import type { ErrorCode } from '../errors.ts';
import { visible } from './output.ts';

/** What the command line says of an error: pgscore's own, PostgreSQL's, or a stranger's, all in one form. */
export type Failure = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail?: string;
  readonly remedy?: string;
  readonly sqlstate?: string;
  readonly stack?: string;
  readonly exit: number;
};

/** An error as the command line says it, with the exit status that goes with it. */
export function failureOf(error: unknown): Failure {
  const known = databaseError(error);
  const sqlstate = sqlState(known.cause);
  const detail = known.code === 'statement_failed' ? detailOf(known.cause) : undefined;
  return {
    code: known.code,
    message: known.message,
    ...(detail === undefined ? {} : { detail }),
    ...(known.remedy === undefined ? {} : { remedy: known.remedy }),
    ...(sqlstate === undefined ? {} : { sqlstate }),
    ...(known.code === 'internal' ? { stack: stackOf(error) } : {}),
    exit: known.exit,
  };
}

/** For people: the message, then what stands behind it and what to do, each on a line of its own. */
export function failureText({ code, message, detail, remedy, sqlstate, stack }: Failure): string {
  const lines = [
    `pgscore: ${message}`,
    ...indented(detail),
    ...indented(remedy),
    `  [${code}${sqlstate === undefined ? '' : `, SQLSTATE ${sqlstate}`}]`,
    ...(stack === undefined ? [] : [stack]),
  ];
  return lines.map(visible).join('\n');
}

function indented(text: string | undefined): string[] {
  return text === undefined ? [] : text.split('\n').map((line) => `  ${line}`);
}

/** For programs: one JSON object on one line. */
export function failureJson(failure: Failure): string {
  return JSON.stringify({ error: { ...failure, stack: undefined } });
}

/** PostgreSQL's detail of a refused statement. */
function detailOf(cause: unknown): string | undefined {
  return (cause as { detail?: string } | undefined)?.detail;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '') : String(error);
}
