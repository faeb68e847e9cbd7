import { sqlState } from '../postgres/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import type { Run } from './run.ts';

const PROGRAM_LIMIT_EXCEEDED = '54000';

/** What an error of writing or indexing predictions means where a key is more than an index takes; any other as it is. */
export function keyTooLong(error: unknown, run: Run): unknown {
  if (sqlState(error) !== PROGRAM_LIMIT_EXCEEDED) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PgscoreError(
    'key_too_long',
    `a key of "${run.sourceSchema}.${run.sourceName}" is too long, an index takes about 2,700 bytes: ${reason}`,
    { remedy: 'Score a view whose key is shorter, such as a hash of it: md5(...).', cause: error },
  );
}
