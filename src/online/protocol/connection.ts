import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { FrameReader, type Message } from './frames.ts';

/** What a client may send ahead while it awaits an answer, before we stop to read. */
const READ_AHEAD_BYTES = 64 * 1024;
/** A client gets so long to take an answer, or the last words before the end. */
const TAKE_MS = 30_000;
const LINGER_MS = 1000;

/** The client is gone, or was sent away: nobody is left to answer. */
export class ClientGone extends Error {
  constructor() {
    super('the client is gone');
    this.name = 'ClientGone';
  }
}

/** A client's socket as packets and messages to be awaited, and answers that wait until they are taken. */
export class Connection {
  /** Called once, when the client went away or was sent away. */
  onGone: () => void = () => undefined;
  /** Whether the client is on this machine. */
  readonly isLocal: boolean;
  #socket: Socket;
  readonly #reader = new FrameReader();
  /** Looks again at what has come, or learns that nothing more will. */
  #wake: (() => void) | undefined;
  #gone = false;
  #secured = false;

  constructor(socket: Socket, isLocal: boolean) {
    this.#socket = socket;
    this.isLocal = isLocal;
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
    return this.next(limit, (message) => message);
  }

  /**
   * What `take` makes of the next message of which it makes anything. Those before it are taken as they arrive, in the
   * same turn of the event loop: a promise for each would cost as much as many an answer.
   */
  next<T>(limit: number, take: (message: Message) => T | undefined): Promise<T> {
    return this.#next(() => {
      for (let message = this.#reader.message(limit); message !== undefined; message = this.#reader.message(limit)) {
        const taken = take(message);
        // Whoever wants all of it goes on reading.
        if (message.longBytes !== undefined) this.#socket.pause();
        if (taken !== undefined) return taken;
      }
      return undefined;
    });
  }

  /** The body of the long message that began. */
  async whole(): Promise<Buffer> {
    const body = await this.#next(() => this.#reader.whole());
    // Only who reads learns that the client goes away.
    this.#socket.resume();
    return body;
  }

  /** Sends; resolves when the client has room for more. */
  async write(bytes: Uint8Array | string): Promise<void> {
    if (!this.writeAtOnce(bytes)) await this.drained();
  }

  /** Sends, a string as Latin-1; false where the client has no room for more: then drained() is to be awaited. */
  writeAtOnce(bytes: Uint8Array | string): boolean {
    if (this.#gone) throw new ClientGone();
    return typeof bytes === 'string' ? this.#socket.write(bytes, 'latin1') : this.#socket.write(bytes);
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
    if (this.#gone) throw new ClientGone();
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

  #next<T>(read: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        this.#wake = undefined;
        try {
          if (this.#gone) throw new ClientGone();
          const found = read();
          if (found !== undefined) return resolve(found);
        } catch (error) {
          return reject(error);
        }
        this.#wake = look;
        this.#socket.resume();
      };
      look();
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
    if (this.#wake !== undefined) this.#wake();
    else if (this.#reader.buffered > READ_AHEAD_BYTES) this.#socket.pause();
  }

  #lose(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#wake?.();
    this.onGone();
  }

  /** Resolves when the client has taken what was sent. */
  drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => socket.destroy(), TAKE_MS);
      const drained = (): void => {
        clearTimeout(late);
        socket.off('drain', drained).off('close', drained);
        if (this.#gone) reject(new ClientGone());
        else resolve();
      };
      socket.once('drain', drained).once('close', drained);
    });
  }
}
