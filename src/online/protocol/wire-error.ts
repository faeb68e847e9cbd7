export type WireErrorParts = { detail?: string | undefined; hint?: string | undefined; cause?: unknown };

/** What a client reads as an error: SQLSTATE, message, detail and hint. A fatal one ends its connection. */
export class WireError extends Error {
  readonly severity: 'ERROR' | 'FATAL';
  readonly sqlstate: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;

  constructor(
    sqlstate: string,
    message: string,
    { detail, hint, cause }: WireErrorParts = {},
    severity: 'ERROR' | 'FATAL' = 'ERROR',
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'WireError';
    this.sqlstate = sqlstate;
    this.severity = severity;
    this.detail = detail;
    this.hint = hint;
  }

  static fatal(sqlstate: string, message: string, parts: WireErrorParts = {}): WireError {
    return new WireError(sqlstate, message, parts, 'FATAL');
  }
}

export function protocolViolation(message: string): WireError {
  return WireError.fatal('08P01', message);
}

/** The remedy for what the functions of the database and the service don't both know. */
export const OTHER_RELEASE = {
  hint: 'The functions in the database and the service may be of different releases: run pgscore migrate, and restart the service.',
};

export function asWireError(error: unknown): WireError {
  if (error instanceof WireError) return error;
  return new WireError('XX000', 'the gateway failed; its log says why', { cause: error });
}
