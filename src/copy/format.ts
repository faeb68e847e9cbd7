import { PgscoreError } from '../errors.ts';

/**
 * The frame of PostgreSQL's binary COPY format: a header, tuples, a trailer.
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
 */
export const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');

/** Flags in the header's bits 16 to 31 mean a format that a reader who doesn't know them must refuse. */
export const CRITICAL_FLAGS = 0xffff0000;

/** Signature, flags word and length of the extension area. */
export const HEADER_BYTES = SIGNATURE.length + 8;

/** The header that pgscore writes: no flags, no extension. */
export const HEADER = Buffer.concat([SIGNATURE, Buffer.alloc(8)]);

/** A tuple's field count of -1 ends the stream. */
export const END_OF_TUPLES = -1;
export const TRAILER = Buffer.from([0xff, 0xff]);

/** A field's length of -1 is NULL. */
export const NULL_LENGTH = -1;

/** PostgreSQL holds no value above 1 GiB, so a longer one is a broken stream. */
export const MAX_VALUE_BYTES = 2 ** 30;

/** The stream is not the binary COPY of the expected columns: nothing that was read from it can be trusted. */
export function protocolError(problem: string): PgscoreError {
  return new PgscoreError('copy_protocol', `the COPY stream cannot be read: ${problem}`, {
    remedy: 'run it again; if the source was altered meanwhile, compare its columns with what the model wants',
  });
}
