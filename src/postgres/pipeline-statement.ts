import { serialize } from 'pg-protocol';
import { prepareValue } from 'pg/lib/utils.js';
import { TYPES } from './types.ts';

export type StepConfig = { readonly name?: string; readonly text: string; readonly values?: readonly unknown[] };

/** The columns of a result, as the driver reads them off the wire. */
export type RowDescription = { readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[] };
/** A row of it, in text. */
export type DataRow = { readonly fields: readonly (string | null)[] };

type Column = { readonly name: string; readonly parse: (value: string) => unknown };

const DESCRIBE = serialize.describe({ type: 'P', name: '' });
const EXECUTE = serialize.execute({});
const COPY_DONE = serialize.copyDone();

/**
 * One statement of a trip; its rows are there once the server has run it. The driver's own query is made for one that
 * travels alone: to copy and wire up fifteen of them took a quarter of a scorer's time for a small run.
 */
export class Step<Row extends object = object> {
  readonly name: string | undefined;
  readonly text: string;
  readonly #values: readonly unknown[];
  readonly #data: readonly Uint8Array[] | undefined;
  readonly #rows: Row[] = [];
  #columns: readonly Column[] = [];

  /** `data` is what a COPY FROM STDIN reads. */
  constructor({ name, text, values = [] }: StepConfig, data?: readonly Uint8Array[]) {
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

export const begin = (): Step => new Step({ name: 'begin', text: 'begin' });
export const commit = (): Step => new Step({ name: 'commit', text: 'commit' });

/** What stands before so many bytes of data. The driver's own message copies them twice, which the trip does once more. */
function copyHead(bytes: number): Uint8Array {
  const head = Buffer.allocUnsafe(5);
  head.writeUInt8(0x64, 0);
  head.writeUInt32BE(4 + bytes, 1);
  return head;
}
