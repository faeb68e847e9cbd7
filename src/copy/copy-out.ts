import type { Duplex } from 'node:stream';
import type { Connection, Submittable } from 'pg';
import { PipelinedStatement, type DataRow, type RowDescription, Pipeline } from '../postgres/pipeline.ts';
import { CopyFrames } from './copy-frames.ts';
import type { CopyDecoder } from './decode.ts';
import type { DecodedBatch } from './batch.ts';
import { protocolError } from './format.ts';

/** Statements in the same pipeline as a COPY: those that prepare the session for it, and those that end what they began. */
export type Around = { readonly before: readonly PipelinedStatement[]; readonly after: readonly PipelinedStatement[] };

type Outcome = { readonly done: true } | { readonly done: false; readonly error: unknown };

/**
 * A COPY TO, with what goes around it, as a query of node-pg that decodes each CopyData in the buffer it came in. pg-copy-streams slices every
 * message out and joins them again, which costs 0.1 to 0.25 CPU-seconds more per million rows.
 */
export class CopyOut implements Submittable {
  readonly #pipeline: Pipeline;
  readonly #decoder: CopyDecoder;
  readonly #frames: CopyFrames;
  #socket: RawSocket | undefined;
  #sent: string | undefined;
  #answered = false;
  #cleanupFailed = false;
  #outcome: Outcome | undefined;
  #wake: () => void = () => undefined;

  constructor(sql: string, decoder: CopyDecoder, { before, after }: Around) {
    this.#pipeline = new Pipeline([...before, new PipelinedStatement({ text: sql }), ...after]);
    this.#pipeline.done.catch(() => undefined);
    this.#decoder = decoder;
    this.#frames = new CopyFrames(decoder, (message) => this.#socket?.forward(message));
  }

  /** The next batch; undefined after the last. The socket is read only while a batch is waited for. */
  async next(): Promise<DecodedBatch | undefined> {
    while (this.#outcome === undefined && !this.#decoder.ready) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#socket?.resume();
      await woken;
    }
    if (this.#outcome?.done === false) throw this.#outcome.error;
    return this.#decoder.take();
  }

  /** Whether the connection can take another query: the driver has its socket back, and the steps after the COPY ended what they should. */
  get released(): boolean {
    return this.#answered && this.#socket === undefined && !this.#cleanupFailed;
  }

  /** Makes `next` raise `error`. */
  fail(error: unknown): void {
    this.#end({ done: false, error });
  }

  submit(connection: Connection): void {
    this.#socket = new RawSocket(connection.stream, (bytes) => this.#receive(bytes));
    this.#pipeline.submit(connection);
  }

  handleRowDescription(message: RowDescription): void {
    this.#pipeline.handleRowDescription(message);
  }

  handleDataRow(message: DataRow): void {
    this.#pipeline.handleDataRow(message);
  }

  handleError(error: unknown, connection: Connection): void {
    this.#answered = true;
    this.#pipeline.handleError(error, connection);
    if (this.#sent === undefined) return this.fail(error);
    // All rows are here. A source may have set its session a time limit that what comes after it does not keep.
    this.#cleanupFailed = true;
    this.#finish();
  }

  handleCommandComplete(message: { text: string }): void {
    if (message.text.startsWith('COPY')) this.#sent = message.text;
    this.#pipeline.handleCommandComplete();
  }

  handleReadyForQuery(): void {
    this.#answered = true;
    this.#pipeline.handleReadyForQuery();
    this.#finish();
  }

  #finish(): void {
    try {
      this.#decoder.finish();
      const decoded = `COPY ${this.#decoder.rows}`;
      if (this.#sent !== decoded) throw protocolError(`the server says ${this.#sent}, it holds ${decoded}`);
      this.#end({ done: true });
    } catch (error) {
      this.fail(error);
    }
  }

  #receive(bytes: Buffer): void {
    if (this.#outcome !== undefined) return;
    try {
      const rest = this.#frames.read(bytes);
      if (rest !== undefined) return this.#release(rest);
      if (!this.#decoder.ready) return;
      this.#socket?.pause();
      this.#wake();
    } catch (error) {
      this.fail(error);
    }
  }

  #release(unread: Buffer): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.giveBack(unread);
  }

  #end(outcome: Outcome): void {
    this.#outcome ??= outcome;
    this.#socket?.pause();
    this.#wake();
  }
}

type Listener = (bytes: Buffer) => void;

/** The socket of a node-pg connection, read by us for a while in the place of the driver's own parser. */
class RawSocket {
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
