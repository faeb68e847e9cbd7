import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { FrameReader, type Message } from './frame-reader.ts';

/** What a client may send ahead while it awaits an answer, before we stop to read. */
const READ_AHEAD_BYTES = 64 * 1024;
/** A client gets so long to take an answer, or the last words before the end. */
const TAKE_MS = 30_000;
const LINGER_MS = 1000;

/** The client is gone, or was sent away: nobody is left to be told. */
export class Gone extends Error {
  constructor() {
    super('the client is gone');
    this.name = 'Gone';
  }
}

/** A client's socket as packets and messages to be awaited, and answers that wait until they are taken. */
export class Connection {
  /** Called once, when the client went away or was sent away. */
  onGone: () => void = () => undefined;
  readonly remoteAddress: string;
  #socket: Socket;
  readonly #reader = new FrameReader();
  #wake: (() => void) | undefined;
  #gone = false;
  #secured = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remoteAddress = socket.remoteAddress ?? '';
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    this.#listenTo(socket);
  }

  get secured(): boolean {
    return this.#secured;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Bytes that have come and were not asked for. */
  get buffered(): number {
    return this.#reader.buffered;
  }

  packet(limit: number): Promise<Buffer> {
    return this.#next(() => this.#reader.packet(limit));
  }

  message(limit: number): Promise<Message> {
    return this.#next(() => this.#reader.message(limit));
  }

  /** Sends; resolves when the client has room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#gone) throw new Gone();
    if (!this.#socket.write(bytes)) await this.#drained();
  }

  /** Goes on under TLS, which the client awaits. */
  async secure(context: SecureContext): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
    const socket = new TLSSocket(plain, { isServer: true, secureContext: context });
    this.#socket = socket;
    socket.on('error', () => socket.destroy());
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      socket.once('secure', resolve);
      this.#listenTo(socket);
    });
    this.#wake = undefined;
    if (this.#gone) throw new Gone();
    this.#secured = true;
  }

  /** Ends the connection, after some last words; what the client still sends is thrown away meanwhile. */
  close(last?: Uint8Array): void {
    if (this.#gone) return;
    const socket = this.#socket;
    socket.removeAllListeners('data');
    socket.resume();
    const cut = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(cut));
    if (last === undefined) socket.end();
    else socket.end(last);
    this.#lose();
  }

  async #next<T>(read: () => T | undefined): Promise<T> {
    for (;;) {
      if (this.#gone) throw new Gone();
      const found = read();
      if (found !== undefined) return found;
      await this.#more();
    }
  }

  #more(): Promise<void> {
    this.#socket.resume();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #listenTo(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // A client that shuts its side down awaits no answer.
    socket.once('end', () => socket.destroy());
    socket.once('close', () => this.#lose());
  }

  #take(chunk: Buffer): void {
    this.#reader.push(chunk);
    if (this.#wake !== undefined) this.#rouse();
    else if (this.#reader.buffered > READ_AHEAD_BYTES) this.#socket.pause();
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #lose(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#rouse();
    this.onGone();
  }

  #drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => socket.destroy(), TAKE_MS);
      const settle = (): void => {
        clearTimeout(late);
        socket.off('drain', settle).off('close', settle);
        if (this.#gone) reject(new Gone());
        else resolve();
      };
      socket.once('drain', settle).once('close', settle);
    });
  }
}
