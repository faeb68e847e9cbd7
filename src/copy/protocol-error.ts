import { PgscoreError } from '../errors.ts';

/** The stream is not the binary COPY of the expected columns: nothing that was read from it can be trusted. */
export function protocolError(problem: string): PgscoreError {
  return new PgscoreError('copy_protocol', `the COPY stream cannot be read: ${problem}`, {
    remedy: 'run it again; if the source was altered meanwhile, compare its columns with what the model wants',
  });
}
