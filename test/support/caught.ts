import { PgscoreError } from '../../src/errors.ts';

/** The PgscoreError that a call throws. */
export function caught(call: () => unknown): PgscoreError {
  try {
    call();
  } catch (error) {
    if (error instanceof PgscoreError) return error;
    throw new Error('thrown, but not as a PgscoreError', { cause: error });
  }
  throw new Error('nothing was thrown');
}
