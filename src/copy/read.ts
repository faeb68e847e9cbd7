import type { Client } from 'pg';
import { BATCH_LIMITS } from './batch-limits.ts';
import type { BatchLimits } from './batch-limits.ts';
import { CopyOut } from './copy-out.ts';
import type { Around } from './copy-out.ts';
import { CopyDecoder } from './decode.ts';
import type { DecodedBatch } from './decoded-batch.ts';
import type { SourceColumn } from './source-column.ts';

export type ReadOptions = Partial<BatchLimits & Around> & { readonly signal?: AbortSignal };

/**
 * The rows of `COPY … TO STDOUT (FORMAT binary)` in batches; `columns` names its columns in their order. Nothing is
 * read ahead of the consumer but what the sockets hold, so a slow consumer slows the server down. Steps `before` and
 * `after` travel with the COPY.
 *
 * Raises PostgreSQL's own error, `copy_protocol`, or the signal's reason. Where it stops before the last row, for an
 * error of its own, the signal or a consumer that leaves the loop, the connection is closed: the rest can't be unasked.
 */
export async function* readBatches(
  client: Client,
  copySql: string,
  columns: readonly SourceColumn[],
  { signal, before = [], after = [], ...limits }: ReadOptions = {},
): AsyncGenerator<DecodedBatch, void, undefined> {
  signal?.throwIfAborted();
  const decoder = new CopyDecoder(columns, { ...BATCH_LIMITS, ...limits });
  const copy = new CopyOut(copySql, decoder, { before, after });
  const abort = () => copy.fail(signal?.reason);
  signal?.addEventListener('abort', abort);
  client.query(copy);
  try {
    for (let batch = await copy.next(); batch !== undefined; batch = await copy.next()) yield batch;
  } finally {
    signal?.removeEventListener('abort', abort);
    if (!copy.released) await client.end();
  }
}
