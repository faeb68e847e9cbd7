import { ERRORS, PgscoreError, toPgscoreError, type ErrorCode } from '../errors.ts';
import { isConnectionLoss, sqlState } from '../postgres/sqlstate.ts';
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
  if (!(error instanceof PgscoreError) && sqlState(error) !== undefined) return statementFailure(error);
  if (!(error instanceof PgscoreError) && isConnectionLoss(error)) return connectionFailure(error);
  const known = toPgscoreError(error);
  const sqlstate = sqlState(known.cause);
  return {
    code: known.code,
    message: known.message,
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

function statementFailure(error: unknown): Failure {
  const { message, detail, hint } = error as { message: string; detail?: string; hint?: string };
  const sqlstate = sqlState(error);
  const remedy = hint ?? (sqlstate === '42501' ? MEMBERSHIP : undefined);
  return {
    code: 'statement_failed',
    message,
    ...(detail === undefined ? {} : { detail }),
    ...(remedy === undefined ? {} : { remedy }),
    ...(sqlstate === undefined ? {} : { sqlstate }),
    exit: ERRORS.statement_failed.exit,
  };
}

const MEMBERSHIP =
  'Where it is a function of pgscore: scoring needs membership in pgscore_user, deploying and changing models in pgscore_deployer, reading accuracy in pgscore_analyst.';

function connectionFailure(error: unknown): Failure {
  return {
    code: 'database_unreachable',
    message: `the connection to PostgreSQL broke: ${error instanceof Error ? error.message : String(error)}`,
    remedy: 'Check that PostgreSQL runs, then try again.',
    exit: ERRORS.database_unreachable.exit,
  };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '') : String(error);
}
