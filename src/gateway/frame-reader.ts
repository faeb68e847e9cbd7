import { protocolViolation, WireError } from './wire-error.ts';

/** A message after the start-up: its type, one ASCII character, and what follows its length. */
export type Message = { readonly type: string; readonly body: Buffer };

const LENGTH_BYTES = 4;

/** Bytes of a client, cut into packets and messages. A length is judged before a byte of what it announces is kept. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** A chunk as the socket gave it is not written behind. */
  #own = false;

  get buffered(): number {
    return this.#end - this.#start;
  }

  push(chunk: Buffer): void {
    if (this.buffered === 0) {
      this.#bytes = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#own = false;
      return;
    }
    const needed = this.buffered + chunk.length;
    if (!this.#own || this.#end + chunk.length > this.#bytes.length) this.#move(needed);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** The next packet of the start-up, which has no type; undefined until it is complete. Its length counts itself. */
  packet(limit: number): Buffer | undefined {
    return this.#frame(0, limit)?.subarray(LENGTH_BYTES);
  }

  /** The next message; undefined until it is complete. */
  message(limit: number): Message | undefined {
    const frame = this.#frame(1, limit);
    return frame && { type: String.fromCharCode(frame[0] ?? 0), body: frame.subarray(1 + LENGTH_BYTES) };
  }

  #frame(before: number, limit: number): Buffer | undefined {
    if (this.buffered < before + LENGTH_BYTES) return undefined;
    const length = this.#bytes.readInt32BE(this.#start + before);
    if (length < LENGTH_BYTES) throw protocolViolation(`a message has the impossible length ${length}`);
    if (length > limit) throw WireError.fatal('54000', `a message of ${length} bytes is past the limit of ${limit}`);
    if (this.buffered < before + length) return undefined;
    const from = this.#start;
    this.#start += before + length;
    return this.#bytes.subarray(from, this.#start);
  }

  /** Twice the room, so that a message that comes byte by byte is not copied for each. What was handed out stays as it is. */
  #move(needed: number): void {
    const moved = Buffer.alloc(2 * needed);
    this.#bytes.copy(moved, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    this.#bytes = moved;
    this.#own = true;
  }
}
