import { viewed, type ViewedBytes } from '../lib/bytes.ts';
import type { CopyDecoder } from './decode.ts';
import { protocolError } from './format.ts';

/** Messages of the wire protocol: a letter, then an int32 length that counts itself but not the letter. */
const FRAME_BYTES = 5;
const COPY_OUT_RESPONSE = 'H'.charCodeAt(0);
const ERROR_RESPONSE = 'E'.charCodeAt(0);
const READY_FOR_QUERY = 'Z'.charCodeAt(0);
const COPY_DATA = 'd'.charCodeAt(0);
const BINARY = 1;

/** Notices, notifications and changed settings may come at any time; they don't end the COPY. */
const ASIDES = new Set(['N', 'A', 'S'].map((letter) => letter.charCodeAt(0)));

/**
 * What the socket says during a COPY TO: tuples go to the decoder where they lie, all else is the driver's, as are the
 * replies to what was sent before the COPY.
 */
export class CopyFrames {
  readonly #decoder: CopyDecoder;
  readonly #forward: (message: Buffer) => void;
  #unread: Buffer = Buffer.alloc(0);
  #dataLeft = 0;
  #begun = false;

  /** `forward` gets each aside whole. */
  constructor(decoder: CopyDecoder, forward: (message: Buffer) => void) {
    this.#decoder = decoder;
    this.#forward = forward;
  }

  /** Reads what the socket gave. Once a message ends the COPY, returns the bytes from that message on. */
  read(received: Buffer): Buffer | undefined {
    const bytes = this.#unread.length === 0 ? received : Buffer.concat([this.#unread, received]);
    const chunk = viewed(bytes);
    let at = this.#pushData(chunk, 0);
    while (bytes.length - at >= FRAME_BYTES) {
      const type = chunk.view.getUint8(at);
      const length = chunk.view.getUint32(at + 1);
      if (length < 4) throw protocolError(`a message claims ${length} bytes`);
      const end = at + 1 + length;
      if (type === COPY_DATA) {
        this.#dataLeft = end - at - FRAME_BYTES;
        at = this.#pushData(chunk, at + FRAME_BYTES);
      } else if (this.#endsCopy(type)) {
        return bytes.subarray(at);
      } else if (end > bytes.length) {
        break;
      } else {
        this.#readWhole(type, bytes.subarray(at, end));
        at = end;
      }
    }
    this.#unread = bytes.subarray(at);
    return undefined;
  }

  #pushData(chunk: ViewedBytes, start: number): number {
    const end = Math.min(start + this.#dataLeft, chunk.bytes.length);
    if (end > start) this.#decoder.push(chunk, start, end);
    this.#dataLeft -= end - start;
    return end;
  }

  #endsCopy(type: number): boolean {
    if (!this.#begun) return type === ERROR_RESPONSE || type === READY_FOR_QUERY;
    return type !== COPY_OUT_RESPONSE && !ASIDES.has(type);
  }

  #readWhole(type: number, message: Buffer): void {
    if (type !== COPY_OUT_RESPONSE) return this.#forward(message);
    if (message[FRAME_BYTES] !== BINARY) throw protocolError('the server sends text, not binary');
    this.#begun = true;
  }
}
