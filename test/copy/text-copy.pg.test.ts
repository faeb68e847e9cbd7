import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Client } from 'pg';
import { readBatches } from '../../src/copy/read.ts';
import type { SourceColumn, SqlType } from '../../src/copy/source-column.ts';
import { feature, key, plainRows } from '../support/copy-stream.ts';
import { emptyDatabase } from '../support/database.ts';
import { textRows } from '../support/text-copy.ts';

const database = await emptyDatabase();
let client: Client;

beforeAll(async () => {
  client = await database.client();
  await client.query(`
    create type mood as enum ('', 'sad', 'ok', 'sehr glücklich');
    create domain price as numeric check (value is distinct from 666);
    create domain small as int2;
    create domain share as price;
    create domain note as text;
    create domain reading as real;
    create domain readings as real[]`);
});

const number = (text: string) => Number(text);
const real = (text: string) => Math.fround(Number(text));
const list = (of: (text: string) => number) => (text: string) => text.slice(1, -1).split(',').map(of);
const same = (text: string) => text;

const texts = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', ''));
const names = fc.string({ maxLength: 15 });
const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`));
const decimals = fc.oneof(
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '0', '-0.0', '1e400', '-1e-400', '9007199254740993', '1e131071'),
  fc
    .tuple(fc.constantFrom('', '-'), digits(12), digits(12))
    .map(([sign, whole, fraction]) => `${sign}${whole}.${fraction}`),
  fc
    .tuple(fc.constantFrom('', '-'), digits(330), digits(330))
    .map(([sign, whole, fraction]) => `${sign}${whole}.${fraction}`),
);
const floats = fc.float().map(sqlFloat);
const doubles = fc.double().map(sqlFloat);
const arrayOf = (elements: fc.Arbitrary<string>, width: number) =>
  fc.array(elements, { minLength: width, maxLength: width }).map((values) => `{${values.join(',')}}`);

/** A row with a numeric that no double holds is a bad one. */
function decimal(text: string): number | null {
  const value = Number(text);
  return Number.isFinite(value) || /^(NaN|-?Infinity)$/.test(text) ? value : null;
}

function sqlFloat(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** SQL type, how it arrives, values as SQL text, and what the text of a value means as a decoded one. */
const TYPES: [string, SqlType, fc.Arbitrary<string>, (text: string) => unknown, number?][] = [
  ['boolean', 'bool', fc.boolean().map(String), (text) => Number(text === 't')],
  ['smallint', 'int2', fc.integer({ min: -32_768, max: 32_767 }).map(String), number],
  ['small', 'int2', fc.integer({ min: -32_768, max: 32_767 }).map(String), number],
  ['integer', 'int4', fc.integer().map(String), number],
  ['bigint', 'int8', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String), BigInt],
  ['real', 'float4', floats, real],
  ['reading', 'float4', floats, real],
  ['double precision', 'float8', doubles, number],
  ['numeric', 'numeric', decimals, decimal],
  [
    'numeric(20,6)',
    'numeric',
    fc.oneof(fc.constant('NaN'), fc.double({ min: -1e12, max: 1e12, noNaN: true }).map(String)),
    number,
  ],
  ['share', 'numeric', decimals, decimal],
  ['text', 'text', texts, same],
  ['note', 'text', texts, same],
  ['varchar(20)', 'varchar', names, same],
  ['char(20)', 'bpchar', names, same],
  ['name', 'name', names, same],
  ['mood', 'enum', fc.constantFrom('', 'sad', 'ok', 'sehr glücklich'), same],
  ['real[]', '_float4', arrayOf(floats, 3), list(real), 3],
  ['readings', '_float4', arrayOf(floats, 1), list(real), 1],
  ['double precision[]', '_float8', arrayOf(doubles, 2), list(number), 2],
];

const row = fc.tuple(...TYPES.map(([, , values]) => fc.option(values, { freq: 6 })));

async function binaryRows(columns: SourceColumn[], copySql: string, rows: number): Promise<unknown[][]> {
  const found: unknown[][] = [];
  for await (const batch of readBatches(client, copySql, columns, { rows })) {
    for (const { code } of batch.badRows.values()) expect(code).toBe('out_of_range');
    found.push(...plainRows(batch));
  }
  return found;
}

describe('binary COPY gives the rows that text COPY gives', () => {
  const columns = TYPES.map(([, type, , , width], index) => feature(`c${index}`, type, width));
  const definition = TYPES.map(([sqlType], index) => `c${index} ${sqlType}`).join(', ');
  const parameters = TYPES.map((_, index) => `$${index + 1}::text[]`).join(', ');
  const names = TYPES.map((_, index) => `c${index}`).join(', ');
  const casts = TYPES.map(([sqlType], index) => `c${index}::${sqlType}`).join(', ');
  const insert = `insert into every_type select ${casts} from unnest(${parameters}) as given (${names})`;

  beforeAll(async () => {
    const create = `create table every_type (${definition})`;
    await client.query(create);
  });

  test('for every type, with NULLs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        async (rows, size) => {
          await client.query('truncate every_type');
          await client.query(
            insert,
            TYPES.map((_, index) => rows.map((values) => values[index] ?? null)),
          );
          const written = await textRows(client, 'copy every_type to stdout');
          const expected = written.map((values) =>
            values.map((value, index) => (value === null ? null : TYPES[index]![3](value))),
          );
          expect(await binaryRows(columns, 'copy every_type to stdout (format binary)', size)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('a key of any type passes through as the bytes that COPY would take back', async () => {
  await client.query(`
    create table odd_keys (a uuid, b timestamptz, c numeric, d text, e inet, f bytea, g int4range);
    insert into odd_keys values
      (gen_random_uuid(), now(), 12.50, 'ключ', '10.0.0.1/8', '\\x00ff', '[1,5)'),
      (null, 'infinity', 'NaN', '', '::1', '', 'empty');
    create table keys_back (like odd_keys)`);
  const columns = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(key);
  const rows = await binaryRows(columns, 'copy odd_keys to stdout (format binary)', 10);
  const { rows: sent } = await client.query({
    text: `select encode(uuid_send(a), 'hex'), encode(timestamptz_send(b), 'hex'), encode(numeric_send(c), 'hex'),
      encode(textsend(d), 'hex'), encode(inet_send(e), 'hex'), encode(byteasend(f), 'hex'), encode(range_send(g), 'hex') from odd_keys`,
    rowMode: 'array',
  });
  expect(rows).toEqual(sent);
});

afterAll(() => client.end());
