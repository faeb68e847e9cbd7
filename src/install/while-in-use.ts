import { sqlState } from '../postgres/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import { retrying } from '../lib/retry.ts';

/** Sessions that use what is being changed show themselves so. */
const IN_USE = ['40P01', '55P03', 'XX000'];

/** For the transaction. Readers queue behind a lock that is waited for, so it is not waited for long. */
export const LOCK_TIMEOUT = "set local lock_timeout = '3s'";

/** Tries a transaction that changes what others use until it got its locks, at most ten times. */
export async function whileInUse<Result>(attempt: () => Promise<Result>): Promise<Result> {
  try {
    return await retrying(attempt, { attempts: 10, pauseMs: 50, again: isInUse });
  } catch (error) {
    if (!isInUse(error)) throw error;
    throw new PgscoreError(error.code, error.message, {
      remedy:
        'End the transactions that are open in this database (state, query and pid are in pg_stat_activity), and migrate again.',
      cause: error.cause,
    });
  }
}

function isInUse(error: unknown): error is PgscoreError {
  return error instanceof PgscoreError && IN_USE.includes(sqlState(error.cause) ?? '');
}
