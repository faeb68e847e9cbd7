import type { Client } from 'pg';
import { from, type CopyStreamQuery } from 'pg-copy-streams';
import { HEADER, TRAILER } from './format.ts';

type Done = (error?: Error | null) => void;

/**
 * A running `COPY … FROM STDIN (FORMAT binary)`. After any failure, PostgreSQL's or our own, call `abort`: the connection
 * can't be used again.
 */
export class CopyWriter {
  readonly #client: Client;
  readonly #stream: CopyStreamQuery;
  #failure: unknown;
  #reject: (error: unknown) => void = () => undefined;

  private constructor(client: Client, copySql: string) {
    this.#client = client;
    this.#stream = client.query(from(copySql));
    // The stream reports a server's error by this event alone: callbacks of writes on their way are never called.
    this.#stream.on('error', (error) => {
      this.#failure ??= error;
      this.#reject(this.#failure);
    });
  }

  /** Starts the COPY and waits until the server takes rows; raises PostgreSQL's error where it does not. */
  static async open(client: Client, copySql: string): Promise<CopyWriter> {
    const writer = new CopyWriter(client, copySql);
    await writer.write(HEADER);
    return writer;
  }

  /** Sends whole tuples; resolves once the connection takes more. Raises PostgreSQL's error, also that of an earlier write. */
  write(tuples: Buffer): Promise<void> {
    return this.#acknowledged((done) => this.#stream.write(tuples, done));
  }

  /** Ends the COPY; resolves with the rows that the server took. */
  async finish(): Promise<number> {
    await this.#acknowledged((done) => this.#stream.end(TRAILER, done));
    return this.#stream.rowCount;
  }

  /** Gives the COPY up: tells the server why, as far as it still listens, and closes the connection. */
  async abort(reason: unknown): Promise<void> {
    if (this.#failure === undefined) {
      this.#failure = reason;
      this.#stream.destroy(reason instanceof Error ? reason : new Error(String(reason)));
    }
    await this.#client.end();
  }

  #acknowledged(start: (done: Done) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#reject = reject;
      start((error) => (error ? reject(error) : resolve()));
    });
  }
}
