import pg from 'pg';
import type { Connection, Submittable } from 'pg';

export type StepConfig = { readonly name?: string; readonly text: string; readonly values?: readonly unknown[] };

/** The driver's own query, which knows how a statement is sent and its replies are read. */
type DriverQuery = pg.Query & {
  readonly name?: string;
  readonly text?: string;
  handleRowDescription(message: unknown): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Connection): void;
  handleReadyForQuery(connection: Connection): void;
};

/** Statements that were sent to be prepared, and of which the server has not said that they are. */
type DriverConnection = Connection & { readonly submittedNamedStatements: Record<string, string> };

/** One statement of a trip; its rows are there once the server has run it. */
export class Step<Row extends object = object> {
  rows: readonly Row[] = [];
  readonly query: DriverQuery;
  readonly #data: readonly Uint8Array[];

  /** `data` is what a COPY FROM STDIN reads. */
  constructor(config: StepConfig, data: readonly Uint8Array[] = []) {
    const extended = { ...config, values: [...(config.values ?? [])], queryMode: 'extended' };
    this.query = new pg.Query<Row & pg.QueryResultRow>(extended, (_error, { rows }) => {
      this.rows = rows;
    }) as DriverQuery;
    this.#data = data;
  }

  send(connection: Connection): void {
    this.query.submit(connection);
    for (const bytes of this.#data) connection.stream.write(copyData(bytes));
    if (this.#data.length > 0) connection.stream.write(COPY_DONE);
  }
}

export const begin = (): Step => new Step({ name: 'begin', text: 'begin' });
export const commit = (): Step => new Step({ name: 'commit', text: 'commit' });
export const rollback = (): Step => new Step({ name: 'rollback', text: 'rollback' });

/**
 * Statements that go to the server at once: each waits for the one before it, none for the network. Without a begin among
 * them they are one transaction. With the first that fails the trip ends, and those behind it are not run.
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
    return this.#step?.query.name;
  }

  get text(): string | undefined {
    return this.#step?.query.text;
  }

  /** The driver wraps this to learn of the end, where queries have a time limit. */
  callback(_error: unknown): void {}

  submit(connection: Connection): void {
    const gathered: Buffer[] = [];
    const gathering = Object.create(connection, { stream: { value: gatheringInto(gathered) } }) as Connection;
    const unsynced = Object.create(gathering, { sync: { value: () => undefined } }) as Connection;
    for (const step of this.#steps) step.send(unsynced);
    gathering.sync();
    // One message after the other, each of a few bytes, would take the stream longer than the server takes to answer.
    connection.stream.write(Buffer.concat(gathered));
  }

  handleRowDescription(message: unknown): void {
    this.#step?.query.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    this.#step?.query.handleDataRow(message);
  }

  handleCommandComplete(message: unknown, connection: Connection): void {
    const query = this.#step?.query;
    query?.handleCommandComplete(message, connection);
    query?.handleReadyForQuery(connection);
    this.#at += 1;
  }

  /** The data is on its way already. */
  handleCopyInResponse(): void {}

  handleReadyForQuery(): void {
    this.callback(null);
    this.#resolve();
  }

  handleError(error: unknown, connection: Connection): void {
    const { submittedNamedStatements: submitted } = connection as DriverConnection;
    for (const { query } of this.#steps.slice(this.#at)) if (query.name !== undefined) delete submitted[query.name];
    this.callback(error);
    this.#reject(error);
  }

  get #step(): Step | undefined {
    return this.#steps[this.#at];
  }
}

/** Runs steps in one trip; their rows are in them afterwards. */
export async function together(client: pg.ClientBase, steps: readonly Step[]): Promise<void> {
  if (steps.length > 0) await client.query(new Trip(steps)).done;
}

function gatheringInto(messages: Buffer[]): object {
  const nothing = (): void => undefined;
  return { writable: true, write: (message: Buffer) => messages.push(message), cork: nothing, uncork: nothing };
}

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);

function copyData(bytes: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(5 + bytes.length);
  message.writeUInt8(0x64, 0);
  message.writeUInt32BE(4 + bytes.length, 1);
  message.set(bytes, 5);
  return message;
}
