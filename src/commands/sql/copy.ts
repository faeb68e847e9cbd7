import { PgscoreError } from '../../errors.ts';
import { tokensOf } from './tokens.ts';

/** COPY from or to the client has a protocol of its own, which this shell does not speak. */
export function refuseCopy(statement: string): void {
  const words = tokensOf(statement).flatMap(({ kind, text }) => (kind === 'word' ? [text.toLowerCase()] : []));
  if (words[0] !== 'copy' || !words.some((word) => word === 'stdin' || word === 'stdout')) return;
  throw new PgscoreError('usage', 'this shell does not speak COPY from or to the client', {
    remedy: 'Use psql for it.',
  });
}
