import pg from 'pg';
import type { Connection, Submittable } from 'pg';
import { serialize } from 'pg-protocol';
import { prepareValue } from 'pg/lib/utils.js';

/** How the driver keeps account of what is prepared: statements that the server has, and that are on their way to it. */
type DriverConnection = Connection & {
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
};

const SYNC = serialize.sync();

/**
 * Statements that go to the server at once: each waits for the one before it, none for the network. Without a begin among
 * them they are one transaction. With the first that fails the pipeline ends, and those behind it are not run. A name stands
 * for the last text that it was given.
 */
export class Pipeline implements Submittable {
  readonly done: Promise<void>;
  readonly #statements: readonly PipelinedStatement[];
  #at = 0;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(statements: readonly PipelinedStatement[]) {
    this.#statements = statements;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** By these the driver keeps account of what is prepared. */
  get name(): string | undefined {
    return this.#statement?.name;
  }

  get text(): string | undefined {
    return this.#statement?.text;
  }

  /** The driver wraps this to learn of the end, where queries have a time limit. */
  callback(_error: unknown): void {}

  submit(connection: Connection): void {
    const { parsedStatements: parsed, submittedNamedStatements: submitted } = connection as DriverConnection;
    const messages: Uint8Array[] = [];
    for (const statement of this.#statements) {
      const { name, text } = statement;
      const known = name === undefined ? undefined : (submitted[name] ?? parsed[name]);
      if (name !== undefined && known !== undefined && known !== text)
        messages.push(serialize.close({ type: 'S', name }));
      messages.push(...statement.messages(known === text));
      if (name !== undefined && known !== text) submitted[name] = text;
    }
    // One message after the other, each of a few bytes, would take the stream longer than the server takes to answer.
    connection.stream.write(Buffer.concat([...messages, SYNC]));
  }

  handleRowDescription(message: RowDescription): void {
    this.#statement?.handleRowDescription(message);
  }

  handleDataRow(message: DataRow): void {
    this.#statement?.handleDataRow(message);
  }

  handleCopyData({ chunk }: { readonly chunk: Uint8Array }): void {
    this.#statement?.handleCopyData(chunk);
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
    for (const { name } of this.#statements.slice(this.#at)) if (name !== undefined) delete submitted[name];
    // Its name may have been given up for a text that could not be prepared.
    if (this.name !== undefined && parsed[this.name] !== this.text) delete parsed[this.name];
    this.callback(error);
    this.#reject(error);
  }

  get #statement(): PipelinedStatement | undefined {
    return this.#statements[this.#at];
  }
}

/** Runs statements in one pipeline; their rows are in them afterwards. */
export async function runPipeline(
  client: Pick<pg.ClientBase, 'query'>,
  statements: readonly PipelinedStatement[],
): Promise<void> {
  if (statements.length > 0) await client.query(new Pipeline(statements)).done;
}

type PipelinedConfig = { readonly name?: string; readonly text: string; readonly values?: readonly unknown[] };

/** The columns of a result, as the driver reads them off the wire. */
export type RowDescription = { readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[] };
/** A row of it, in text. */
export type DataRow = { readonly fields: readonly (string | null)[] };

type Column = { readonly name: string; readonly parse: (value: string) => unknown };

const DESCRIBE = serialize.describe({ type: 'P', name: '' });
const EXECUTE = serialize.execute({});
const COPY_DONE = serialize.copyDone();

/**
 * One statement of a pipeline; its rows are there once the server has run it. The driver's own query is made for one that
 * travels alone: to copy and wire up fifteen of them took a quarter of a scorer's time for a small run.
 */
export class PipelinedStatement<Row extends object = object> {
  readonly name: string | undefined;
  readonly text: string;
  readonly #values: readonly unknown[];
  readonly #data: readonly Uint8Array[] | undefined;
  readonly #rows: Row[] = [];
  #columns: readonly Column[] = [];

  /** `data` is what a COPY FROM STDIN reads. */
  constructor({ name, text, values = [] }: PipelinedConfig, data?: readonly Uint8Array[]) {
    this.name = name;
    this.text = text;
    this.#values = values.map((value) => prepareValue(value));
    this.#data = data;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** What is sent for it, where the server has its text under its name already or has not. */
  messages(prepared: boolean): Uint8Array[] {
    const { name = '', text } = this;
    const bind = serialize.bind({ statement: name, values: [...this.#values] });
    const asked = prepared ? [bind, DESCRIBE, EXECUTE] : [serialize.parse({ name, text }), bind, DESCRIBE, EXECUTE];
    if (this.#data === undefined) return asked;
    return [...asked, ...this.#data.flatMap((bytes) => [copyHead(bytes.length), bytes]), COPY_DONE];
  }

  handleRowDescription({ fields }: RowDescription): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, parse: TYPES.getTypeParser(dataTypeID, 'text') }));
  }

  handleDataRow({ fields }: DataRow): void {
    const row: Record<string, unknown> = {};
    for (const [index, { name, parse }] of this.#columns.entries()) {
      const value = fields[index] ?? null;
      row[name] = value === null ? null : parse(value);
    }
    this.#rows.push(row as Row);
  }

  /** What a COPY TO sends: nobody has asked for it. */
  handleCopyData(_chunk: Uint8Array): void {}
}

export const begin = (): PipelinedStatement => new PipelinedStatement({ name: 'begin', text: 'begin' });
export const commit = (): PipelinedStatement => new PipelinedStatement({ name: 'commit', text: 'commit' });

/** What stands before so many bytes of data. The driver's own message copies them twice, which the pipeline does once more. */
function copyHead(bytes: number): Uint8Array {
  const head = Buffer.allocUnsafe(5);
  head.writeUInt8(0x64, 0);
  head.writeUInt32BE(4 + bytes, 1);
  return head;
}

/** A date is a day and no instant: as a Date it would be the midnight of whatever zone this process is in. */
const DATE_OID = 1082;

/** How our clients read values off their text. */
export const TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text' | 'binary') =>
    oid === DATE_OID ? String : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};
