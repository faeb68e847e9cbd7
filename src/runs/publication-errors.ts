import { PgscoreError } from '../errors.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import type { Run } from './run.ts';

/**
 * The error of a run that was to replace predictions which another run replaced meanwhile. The next try compares with
 * the new ones.
 */
export function targetChanged({ sourceSchema, sourceName }: Run): PgscoreError {
  return new PgscoreError(
    'target_changed',
    `the target changed while "${sourceSchema}.${sourceName}" was compared with it`,
    { remedy: 'Submit the run again when no other writes to the target.' },
  );
}

const PROGRAM_LIMIT_EXCEEDED = '54000';
export const LOCK_NOT_AVAILABLE = '55P03';

/** Translates an error of writing or indexing predictions. Returns an unknown error as it is. */
export function problemOfWriting(error: unknown, run: Run): unknown {
  const state = sqlState(error);
  if (state === LOCK_NOT_AVAILABLE) return targetLocked(run, error);
  return state === PROGRAM_LIMIT_EXCEEDED ? keyTooLong(run, error) : error;
}

function targetLocked({ sourceSchema, sourceName }: Run, cause: unknown): PgscoreError {
  return new PgscoreError(
    'target_locked',
    `an open transaction of another session holds the target of "${sourceSchema}.${sourceName}"`,
    { remedy: 'The run goes on by itself when that transaction has ended.', cause },
  );
}

function keyTooLong(run: Run, error: unknown): PgscoreError {
  const reason = error instanceof Error ? error.message : String(error);
  return new PgscoreError(
    'key_too_long',
    `a key of "${run.sourceSchema}.${run.sourceName}" is too long, an index takes about 2,700 bytes: ${reason}`,
    { remedy: 'Score a view whose key is shorter, such as a hash of it: md5(...).', cause: error },
  );
}

export const LEAST_ERROR_LIMIT = 1000;
const ERROR_SHARE = 0.01;

/** How many rows of a run may fail: its error_limit, else the larger of 1,000 and 1 % of its rows. */
export function errorLimit(run: Run, rows: number): number {
  return run.errorLimit ?? Math.max(LEAST_ERROR_LIMIT, Math.floor(rows * ERROR_SHARE));
}

/**
 * Why a scored run must not be published: it is a replay without rows, or too many rows failed. `first` is the reason
 * of the first failed row.
 */
export function refusalToPublish(
  run: Run,
  rows: number,
  failed: number,
  first: string | undefined,
): PgscoreError | undefined {
  return emptyReplay(run, rows) ?? tooManyFailed(run, rows, failed, first);
}

function tooManyFailed(run: Run, rows: number, failed: number, first: string | undefined): PgscoreError | undefined {
  const limit = errorLimit(run, rows);
  if (failed <= limit) return undefined;
  return new PgscoreError(
    'too_many_failed_rows',
    `${failed} of ${rows} rows could not be scored; ${limit} are allowed${first === undefined ? '' : `. The first: ${first}`}`,
    {
      remedy: 'select * from pgscore.run_errors; shows them. Correct the source, or raise error_limit.',
    },
  );
}

function emptyReplay({ replayWindow, sourceSchema, sourceName }: Run, rows: number): PgscoreError | undefined {
  if (replayWindow === null || rows > 0) return undefined;
  const { from, to } = replayWindow;
  const window = [from === null ? '' : ` from ${from}`, to === null ? '' : ` until ${to}`].join('');
  return new PgscoreError('replay_empty', `"${sourceSchema}.${sourceName}" has no row for a time${window}`, {
    remedy: 'Name another window, from_time and to_time, or another event_time or source.',
  });
}
