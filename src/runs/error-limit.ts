import { PgscoreError } from '../errors.ts';
import type { Run } from './run.ts';

export const LEAST_ERROR_LIMIT = 1000;
const ERROR_SHARE = 0.01;

/** How many rows of a run may fail: as asked, else the larger of 1,000 and 1 % of its rows. */
export function errorLimit(run: Run, rows: number): number {
  return run.errorLimit ?? Math.max(LEAST_ERROR_LIMIT, Math.floor(rows * ERROR_SHARE));
}

/** The error of a run with more failed rows than it may have; undefined where they are few enough. */
export function tooManyFailed(
  run: Run,
  rows: number,
  failed: number,
  first: string | undefined,
): PgscoreError | undefined {
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
