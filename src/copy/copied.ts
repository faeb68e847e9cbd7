import { Step } from '../postgres/pipeline-statement.ts';
import { viewed } from '../lib/viewed-bytes.ts';
import { BATCH_LIMITS } from './batch-limits.ts';
import type { BatchLimits } from './batch-limits.ts';
import { CopyDecoder } from './decode.ts';
import type { DecodedBatch } from './decoded-batch.ts';
import type { SourceColumn } from './source-column.ts';

/** A COPY TO of few rows among the steps of a trip. What it sends is kept until it is decoded, up to `most` bytes. */
export class Copied extends Step {
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
