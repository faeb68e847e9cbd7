import type { Duplex } from 'node:stream';

type Listener = (bytes: Buffer) => void;

/** The socket of a node-pg connection, read by us for a while in the place of the driver's own parser. */
export class BorrowedSocket {
  readonly #socket: Duplex;
  readonly #driver: readonly Listener[];
  readonly #reader: Listener;

  constructor(socket: Duplex, reader: Listener) {
    this.#socket = socket;
    this.#driver = socket.listeners('data').map((listener) => listener.bind(socket));
    this.#reader = reader;
    socket.removeAllListeners('data');
    socket.on('data', reader);
  }

  /** Lets the driver parse `bytes`, as if it had read them. */
  forward(bytes: Buffer): void {
    for (const listener of this.#driver) listener(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Gives the socket back, with the bytes that were read but belong to the driver. */
  giveBack(unread: Buffer): void {
    this.#socket.removeListener('data', this.#reader);
    for (const listener of this.#driver) this.#socket.on('data', listener);
    this.#socket.resume();
    this.forward(unread);
  }
}
