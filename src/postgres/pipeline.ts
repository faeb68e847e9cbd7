import type pg from 'pg';
import type { Connection, Submittable } from 'pg';
import { serialize } from 'pg-protocol';
import type { DataRow, RowDescription, Step } from './pipeline-statement.ts';

/** How the driver keeps account of what is prepared: statements that the server has, and that are on their way to it. */
type DriverConnection = Connection & {
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
};

const SYNC = serialize.sync();

/**
 * Statements that go to the server at once: each waits for the one before it, none for the network. Without a begin among
 * them they are one transaction. With the first that fails the trip ends, and those behind it are not run. A name stands
 * for the last text that it was given.
 */
export class Trip implements Submittable {
  readonly done: Promise<void>;
  readonly #steps: readonly Step[];
  #at = 0;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** By these the driver keeps account of what is prepared. */
  get name(): string | undefined {
    return this.#step?.name;
  }

  get text(): string | undefined {
    return this.#step?.text;
  }

  /** The driver wraps this to learn of the end, where queries have a time limit. */
  callback(_error: unknown): void {}

  submit(connection: Connection): void {
    const { parsedStatements: parsed, submittedNamedStatements: submitted } = connection as DriverConnection;
    const messages: Uint8Array[] = [];
    for (const step of this.#steps) {
      const { name, text } = step;
      const known = name === undefined ? undefined : (submitted[name] ?? parsed[name]);
      if (name !== undefined && known !== undefined && known !== text)
        messages.push(serialize.close({ type: 'S', name }));
      messages.push(...step.messages(known === text));
      if (name !== undefined && known !== text) submitted[name] = text;
    }
    // One message after the other, each of a few bytes, would take the stream longer than the server takes to answer.
    connection.stream.write(Buffer.concat([...messages, SYNC]));
  }

  handleRowDescription(message: RowDescription): void {
    this.#step?.handleRowDescription(message);
  }

  handleDataRow(message: DataRow): void {
    this.#step?.handleDataRow(message);
  }

  handleCopyData({ chunk }: { readonly chunk: Uint8Array }): void {
    this.#step?.handleCopyData(chunk);
  }

  handleCommandComplete(): void {
    this.#at += 1;
  }

  handleEmptyQuery(): void {
    this.#at += 1;
  }

  /** The data is on its way already. */
  handleCopyInResponse(): void {}

  handleReadyForQuery(): void {
    this.callback(null);
    this.#resolve();
  }

  handleError(error: unknown, connection: Connection): void {
    const { parsedStatements: parsed, submittedNamedStatements: submitted } = connection as DriverConnection;
    for (const { name } of this.#steps.slice(this.#at)) if (name !== undefined) delete submitted[name];
    // Its name may have been given up for a text that could not be prepared.
    if (this.name !== undefined && parsed[this.name] !== this.text) delete parsed[this.name];
    this.callback(error);
    this.#reject(error);
  }

  get #step(): Step | undefined {
    return this.#steps[this.#at];
  }
}

/** Runs steps in one trip; their rows are in them afterwards. */
export async function together(client: Pick<pg.ClientBase, 'query'>, steps: readonly Step[]): Promise<void> {
  if (steps.length > 0) await client.query(new Trip(steps)).done;
}
