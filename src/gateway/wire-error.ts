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
