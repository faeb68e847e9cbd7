import type { Client } from 'pg';
import { BATCH_LIMITS, type BatchLimits, type SourceColumn } from './source-column.ts';
import { CopyOut, type Around } from './copy-out.ts';
import { CopyDecoder } from './decode.ts';
import type { DecodedBatch } from './batch.ts';
import { PipelinedStatement } from '../postgres/pipeline.ts';
import { viewed } from '../lib/bytes.ts';

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

/** A COPY TO of few rows among the steps of a pipeline. What it sends is kept until it is decoded, up to `most` bytes. */
export class Copied extends PipelinedStatement {
  readonly #most: number;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(copySql: string, most: number) {
    super({ text: copySql });
    this.#most = most;
  }

  /** Whether more came than was to be kept: then there is nothing to decode. */
  get overflowed(): boolean {
    return this.#bytes > this.#most;
  }

  override handleCopyData(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    // The driver reads the next messages into the same memory.
    if (!this.overflowed) this.#chunks.push(Uint8Array.from(chunk));
  }

  /** The rows in batches. Raises `copy_protocol`. */
  *batches(columns: readonly SourceColumn[], limits: Partial<BatchLimits> = {}): Generator<DecodedBatch> {
    const decoder = new CopyDecoder(columns, { ...BATCH_LIMITS, ...limits });
    for (const chunk of this.#chunks) decoder.push(viewed(chunk));
    decoder.finish();
    for (let batch = decoder.take(); batch !== undefined; batch = decoder.take()) yield batch;
  }
}
