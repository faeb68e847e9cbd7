import { protocolViolation, WireError } from './wire-error.ts';

/**
 * A message after the start-up: its type, one ASCII character, and what follows its length. Of a long one the body is the
 * beginning; whole() gives all of it, and the next message passes it over.
 */
export type Message = { readonly type: string; readonly body: Buffer; readonly longBytes?: number };

const LENGTH_BYTES = 4;
/** What is longer is read only when there is room for it. */
const LONG_BYTES = 64 * 1024;
const BEGINNING_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

/** Bytes of a client, cut into packets and messages. A length is judged before a byte of what it announces is kept. */
export class FrameReader {
  #bytes: Buffer = NOTHING;
  #start = 0;
  #end = 0;
  /** A chunk as the socket gave it is not written behind. */
  #own = false;
  /** Bytes of the body of a long message that began. */
  #long = 0;
  /** Bytes that are still to come and are passed over. */
  #skip = 0;

  get buffered(): number {
    return this.#end - this.#start;
  }

  push(sent: Buffer): void {
    const chunk = this.#skip === 0 ? sent : this.#passOverOf(sent);
    if (chunk.length === 0) return;
    if (this.buffered === 0) {
      this.#bytes = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#own = false;
      return;
    }
    const needed = this.buffered + chunk.length;
    // Twice the room, so that a message that comes byte by byte is not copied for each.
    if (!this.#own || this.#end + chunk.length > this.#bytes.length) this.#move(2 * needed);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** The next packet of the start-up, which has no type; undefined until it is complete. Its length counts itself. */
  packet(limit: number): Buffer | undefined {
    return this.#frame(0, this.#lengthOf(0, limit))?.subarray(LENGTH_BYTES);
  }

  /** The next message; undefined until it is complete, or its beginning where it is long. */
  message(limit: number): Message | undefined {
    this.#passOver();
    const length = this.#lengthOf(1, limit);
    if (length > LONG_BYTES) return this.#beginning(length);
    const frame = this.#frame(1, length);
    return frame && { type: String.fromCharCode(frame[0] ?? 0), body: frame.subarray(1 + LENGTH_BYTES) };
  }

  /** The body of the long message that began; undefined until it is complete. */
  whole(): Buffer | undefined {
    if (this.buffered >= this.#long) {
      const body = this.#take(this.#long);
      this.#long = 0;
      return body;
    }
    if (!this.#own || this.#bytes.length < this.#long) this.#move(this.#long);
    return undefined;
  }

  #beginning(length: number): Message | undefined {
    if (this.buffered < BEGINNING_BYTES) return undefined;
    const head = this.#take(1 + LENGTH_BYTES);
    this.#long = length - LENGTH_BYTES;
    const body = this.#bytes.subarray(this.#start, Math.min(this.#end, this.#start + BEGINNING_BYTES));
    return { type: String.fromCharCode(head[0] ?? 0), body, longBytes: this.#long };
  }

  #passOver(): void {
    if (this.#long === 0) return;
    const come = Math.min(this.#long, this.buffered);
    this.#skip = this.#long - come;
    this.#long = 0;
    this.#take(come);
  }

  #passOverOf(sent: Buffer): Buffer {
    const chunk = sent.subarray(this.#skip);
    this.#skip -= sent.length - chunk.length;
    return chunk;
  }

  #frame(before: number, length: number): Buffer | undefined {
    return length === 0 || this.buffered < before + length ? undefined : this.#take(before + length);
  }

  /** 0 until it is there. */
  #lengthOf(before: number, limit: number): number {
    if (this.buffered < before + LENGTH_BYTES) return 0;
    const length = this.#bytes.readInt32BE(this.#start + before);
    if (length < LENGTH_BYTES) throw protocolViolation(`a message has the impossible length ${length}`);
    if (length > limit) {
      throw WireError.fatal('54000', `a message of ${length} bytes is past the limit of ${limit}`, {
        hint: 'Pass only the columns that the model takes.',
      });
    }
    return length;
  }

  /** Nothing is held of what was handed out: an idle client's last message may have been long. */
  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#start, this.#start + length);
    this.#start += length;
    if (this.#start < this.#end) return taken;
    this.#bytes = NOTHING;
    this.#start = 0;
    this.#end = 0;
    return taken;
  }

  /** What was handed out stays as it is. */
  #move(bytes: number): void {
    const moved = Buffer.alloc(bytes);
    this.#bytes.copy(moved, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    this.#bytes = moved;
    this.#own = true;
  }
}
