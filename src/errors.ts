/**
 * Every error pgscore raises, in one table: the stable code, what it means, the exit status of the command line, and
 * whether trying again can help. PostgreSQL's own errors are told apart by SQLSTATE, never by message.
 */
export const ERRORS = {
  usage: { exit: 2, retry: false, meaning: 'the command line or a setting is wrong' },
  internal: { exit: 70, retry: false, meaning: 'a defect in pgscore; please report it' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorKind = {
  /** Exit status of the command line. */
  readonly exit: number;
  /** Whether the same work may succeed when tried again unchanged. */
  readonly retry: boolean;
  readonly meaning: string;
};

export type ErrorCode = keyof typeof ERRORS;

export type ErrorDetails = { remedy?: string; cause?: unknown };

/** An error that names the thing and the reason in its message, and the next step in `remedy`. */
export class PgscoreError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'PgscoreError';
    this.code = code;
    this.remedy = details.remedy;
  }

  get retry(): boolean {
    return ERRORS[this.code].retry;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }
}

/** Any thrown value as a PgscoreError, so that one place decides what a stranger's error becomes. */
export function toPgscoreError(error: unknown): PgscoreError {
  if (error instanceof PgscoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PgscoreError('internal', message, { cause: error });
}
