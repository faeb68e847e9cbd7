import { isTransient, sqlState } from '../postgres/sqlstate.ts';
import { PgscoreError, type ErrorCode } from '../errors.ts';
import { isOfWatch, WATCH_GOES_ON, type Run } from './run.ts';

export type Failure = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string | null;
  readonly retry: boolean;
};

type StateMeaning = { readonly code: ErrorCode; readonly what: (run: Run) => string; readonly remedy: string };

const source = (run: Run): string => `"${run.sourceSchema}.${run.sourceName}"`;

const CHANGED: StateMeaning = {
  code: 'source_changed',
  what: (run) => `${source(run)} changed after the run was submitted`,
  remedy: 'Submit the run again.',
};

const HANDLE_MISSING: StateMeaning = {
  code: 'handle_missing',
  what: (run) => `the read handle of ${source(run)} was dropped after the run was submitted`,
  remedy: 'Submit the run again.',
};

const DUPLICATE_KEY: StateMeaning = {
  code: 'duplicate_key',
  what: (run) => `two rows of ${source(run)} have the same key`,
  remedy: 'Name columns that identify a row: key => ...',
};

/** The error of a run whose source has two rows with one key. */
export function duplicateKey(run: Run): PgscoreError {
  const { code, what, remedy } = DUPLICATE_KEY;
  return new PgscoreError(code, what(run), { remedy });
}

/** No such relation, no such function. */
const MISSING_STATES = ['42P01', '42883'];

/** What an SQLSTATE means while a source is read or its predictions are written. */
const BY_STATE: Readonly<Record<string, StateMeaning>> = {
  '42501': {
    code: 'permission_denied',
    what: (run) => `"${run.requestedBy}" may not read ${source(run)}`,
    remedy: "Grant the requester SELECT, or, where a row-level policy hides rows, submit the run with rls => 'filter'.",
  },
  '23505': DUPLICATE_KEY,
  '23502': {
    code: 'null_key',
    what: (run) => `a row of ${source(run)} has no key`,
    remedy: 'Score a view that leaves rows without a key out, or name another key: key => ...',
  },
  '55P03': {
    code: 'source_locked',
    what: (run) => `${source(run)} is locked by another session`,
    remedy: 'Submit the run again when the session that alters or drops it has ended.',
  },
  // Raised by the server, it is about its connection to another server: a node of Citus, a foreign server.
  '08006': {
    code: 'source_unreachable',
    what: (run) => `a server that holds rows of ${source(run)} did not answer`,
    remedy: 'The run goes on when that server is back.',
  },
  '42P01': CHANGED,
  '42703': CHANGED,
  '42846': CHANGED,
  '42P13': CHANGED,
  '42804': CHANGED,
};

/** The remedy for a watch that an SQLSTATE stops. */
export function remedyOfWatch(state: string | undefined): string {
  if (state === '42501')
    return "Grant the owner of the watch SELECT, and pgscore_user if that was revoked; or, where a row-level policy hides rows, watch again with rls => 'filter'.";
  if (state === '08006') return 'The watch goes on when that server is back.';
  if (state === '23505')
    return 'Remove the row that is double; or end the watch, and watch into another target with a key that identifies a row: key => ...';
  return WATCH_GOES_ON;
}

function remedyFor(run: Run, state: string | undefined, ofSubmitted: string): string {
  return isOfWatch(run) ? remedyOfWatch(state) : ofSubmitted;
}

/** A failure of a run in the words of its requester: what failed, why, what to do, and whether trying again can help. */
export function failureOf(error: unknown, run: Run): Failure {
  if (error instanceof PgscoreError) {
    return { code: error.code, message: error.message, remedy: error.remedy ?? null, retry: error.retry };
  }
  const state = sqlState(error);
  const reason = error instanceof Error ? error.message : String(error);
  const known = state === undefined ? undefined : meaningOf(state, reason, run);
  if (known !== undefined) {
    return {
      code: known.code,
      message: `${known.what(run)}: ${reason}${state === '23505' ? detailOf(error) : ''}`,
      remedy: remedyFor(run, state, known.remedy),
      retry: state === '55P03' || state === '08006',
    };
  }
  if (isTransient(error)) {
    return {
      code: 'database_lost',
      message: `the database broke off: ${reason}`,
      remedy: remedyFor(run, '08006', 'Submit the run again when the database is well.'),
      retry: true,
    };
  }
  if (state !== undefined) {
    return {
      code: 'source_error',
      message: `reading ${source(run)} failed: ${reason} (SQLSTATE ${state})`,
      remedy: remedyFor(run, state, 'Correct the source, then submit the run again.'),
      retry: false,
    };
  }
  return { code: 'internal', message: reason, remedy: 'Please report it with the log of the service.', retry: false };
}

/** The code of an error of PostgreSQL that was raised while a watch was planned or its source read. */
export function codeOfState(state: string | undefined): ErrorCode {
  return (state === undefined ? undefined : BY_STATE[state]?.code) ?? 'watch_failed';
}

function meaningOf(state: string, reason: string, { handle }: Run): StateMeaning | undefined {
  return MISSING_STATES.includes(state) && reason.includes(handle.name) ? HANDLE_MISSING : BY_STATE[state];
}

/**
 * The detail of a duplicate key names the key. The detail of a missing key would only show how predictions are stored.
 */
function detailOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('detail' in error) || typeof error.detail !== 'string')
    return '';
  return ` (${error.detail})`;
}
