/** Cuts what a PostgreSQL server sends into messages: a type byte and a length, which counts itself, before each body. */
export class MessageSplitter {
  readonly #onMessage: (message: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 5) {
      const length = 1 + this.#rest.readInt32BE(1);
      if (this.#rest.length < length) return;
      this.#onMessage(this.#rest.subarray(0, length));
      this.#rest = this.#rest.subarray(length);
    }
  }
}
