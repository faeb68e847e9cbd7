import { BatchAssembler, type DecodedBatch } from './batch.ts';
import { BATCH_LIMITS, type BatchLimits, type SourceColumn } from './source-column.ts';
import { type ViewedBytes, viewed } from '../lib/bytes.ts';
import { CRITICAL_FLAGS, END_OF_TUPLES, HEADER_BYTES, MAX_VALUE_BYTES, SIGNATURE, protocolError } from './format.ts';

const FIELD_COUNT_BYTES = 2;

/**
 * PostgreSQL's binary COPY stream, in pieces cut anywhere, as batches of Arrow columns. It stops in the middle of a
 * tuple where the bytes end and goes on from that column with the next piece. Raises `copy_protocol`.
 */
export class CopyDecoder {
  readonly #columns: number;
  readonly #assembler: BatchAssembler;
  readonly #partial = new PartialTuple();
  readonly #ready: DecodedBatch[] = [];
  #state: 'header' | 'tuples' | 'ended' = 'header';
  /** The next step of the tuple; past the last one, a tuple begins. */
  #step: number;
  #tupleBytes = 0;
  #needed = 0;
  #toSkip = 0;
  #rows = 0;

  constructor(columns: readonly SourceColumn[], limits: BatchLimits = BATCH_LIMITS) {
    this.#columns = columns.length;
    this.#assembler = new BatchAssembler(columns, limits);
    this.#step = this.#assembler.steps.length;
  }

  /** Tuples read so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Whether a full batch waits to be taken. */
  get ready(): boolean {
    return this.#ready.length > 0;
  }

  /** The oldest full batch. */
  take(): DecodedBatch | undefined {
    return this.#ready.shift();
  }

  /** Reads the bytes of `chunk` from `start` to `end`; they may be overwritten afterwards. */
  push(chunk: ViewedBytes, start = 0, end = chunk.bytes.length): void {
    const partial = this.#partial;
    if (partial.length === 0) {
      const at = this.#read(chunk, start, end);
      if (at < end) partial.append(chunk.bytes, at, end);
      return;
    }
    partial.append(chunk.bytes, start, end);
    if (partial.length >= this.#needed) partial.drop(this.#read(partial.chunk, 0, partial.length));
  }

  /** Ends the stream; the last rows become ready. */
  finish(): void {
    if (this.#state !== 'ended') throw protocolError(`it ends early, after ${this.#rows} whole rows`);
    const last = this.#assembler.take();
    if (last !== undefined) this.#ready.push(last);
  }

  /** Reads as far as whole values reach and returns where it stopped. */
  #read(chunk: ViewedBytes, start: number, end: number): number {
    let at = Math.min(start + this.#toSkip, end);
    this.#toSkip -= at - start;
    const steps = this.#assembler.steps;
    while (at < end) {
      const step = steps[this.#step];
      const next =
        step === undefined ? this.#betweenTuples(chunk, at, end) : step.read(chunk, at, end, this.#assembler.row);
      if (next < 0) {
        this.#needed = -next;
        return at;
      }
      this.#tupleBytes += next - at;
      at = next;
      if (step !== undefined) this.#stepDone(steps.length);
    }
    this.#toSkip += at - end;
    return end;
  }

  #stepDone(steps: number): void {
    this.#step += 1;
    if (this.#step < steps) return;
    this.#rows += 1;
    const full = this.#assembler.endRow(this.#tupleBytes);
    this.#tupleBytes = 0;
    if (full !== undefined) this.#ready.push(full);
  }

  #betweenTuples(chunk: ViewedBytes, at: number, end: number): number {
    if (this.#state === 'header') return this.#readHeader(chunk, at, end);
    if (this.#state === 'ended') throw protocolError('bytes follow its end');
    if (end - at < FIELD_COUNT_BYTES) return -FIELD_COUNT_BYTES;
    const fields = chunk.view.getInt16(at);
    if (fields === END_OF_TUPLES) {
      this.#state = 'ended';
    } else if (fields !== this.#columns) {
      throw protocolError(`row ${this.#rows + 1} has ${fields} columns, not ${this.#columns}`);
    } else {
      this.#assembler.beginRow();
      this.#step = 0;
    }
    return at + FIELD_COUNT_BYTES;
  }

  #readHeader({ bytes, view }: ViewedBytes, at: number, end: number): number {
    if (end - at < HEADER_BYTES) return -HEADER_BYTES;
    if (SIGNATURE.compare(bytes, at, at + SIGNATURE.length) !== 0) throw protocolError('it is not binary COPY');
    const flags = view.getUint32(at + SIGNATURE.length);
    if ((flags & CRITICAL_FLAGS) !== 0) throw protocolError(`it uses an unknown format, flags ${flags}`);
    const extension = view.getInt32(at + SIGNATURE.length + 4);
    if (extension < 0 || extension > MAX_VALUE_BYTES) throw protocolError(`its header claims ${extension} bytes`);
    this.#state = 'tuples';
    return at + HEADER_BYTES + extension;
  }
}

/** The tail of a chunk that ended in the middle of a value, and what has arrived for it since. */
class PartialTuple {
  #chunk: ViewedBytes = viewed(new Uint8Array(256));
  #length = 0;

  get chunk(): ViewedBytes {
    return this.#chunk;
  }

  get length(): number {
    return this.#length;
  }

  append(source: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#chunk.bytes.length) this.#grow(length);
    this.#chunk.bytes.set(source.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#chunk.bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
  }

  #grow(needed: number): void {
    const grown = viewed(new Uint8Array(Math.max(needed, this.#chunk.bytes.length * 2)));
    grown.bytes.set(this.#chunk.bytes.subarray(0, this.#length));
    this.#chunk = grown;
  }
}
