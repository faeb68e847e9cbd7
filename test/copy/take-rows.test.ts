import { describe, expect, test } from '@jest/globals';
import type { Binary, Data } from 'apache-arrow';
import fc from 'fast-check';
import type { DecodedBatch } from '../../src/copy/batch.ts';
import type { SourceColumn } from '../../src/copy/source-column.ts';
import { takeRows } from '../../src/copy/take-rows.ts';
import {
  array,
  bool,
  copyStream,
  decodePieces,
  feature,
  float4,
  float8,
  int2,
  int4,
  int8,
  key,
  plainRows,
  text,
  vector,
  type WireValue,
} from '../support/copy-stream.ts';
import { numericWire } from '../support/numeric-wire.ts';

const FLOAT4_OID = 700;
const FLOAT8_OID = 701;

const COLUMNS: SourceColumn[] = [
  key('id'),
  key('day'),
  { name: 'at', role: 'event_time' },
  feature('flag', 'bool'),
  feature('small', 'int2'),
  feature('whole', 'int4'),
  feature('real', 'float4'),
  feature('large', 'int8'),
  feature('double', 'float8'),
  feature('exact', 'numeric'),
  feature('word', 'text'),
  feature('reals', '_float4', 2),
  feature('doubles', '_float8', 3),
  feature('embedding', 'vector', 1),
  { name: 'region', role: 'segment' },
  { name: 'pgscore_hash', role: 'hash' },
];

/** The values of row `n`, all of which differ from row to row. */
function valuesOf(n: number): WireValue[] {
  return [
    int8(BigInt(n)),
    text(`day ${'x'.repeat(n % 7)}${n}`),
    int8(BigInt(1000 + n)),
    bool(n % 2 === 1),
    int2(-n),
    int4(70_000 + n),
    float4(n + 0.5),
    int8(2n ** 53n + BigInt(n)),
    float8(n / 10),
    numericWire(`${n}.25`),
    text('ß'.repeat(n % 5) + String(n)),
    array(FLOAT4_OID, [float4(n), float4(-n)]),
    array(FLOAT8_OID, [float8(n), float8(n / 3), float8(Number.NaN)]),
    vector([n]),
    text(`region ${n % 3}`),
    int8(BigInt.asIntN(64, BigInt(n) * 0x9e3779b97f4a7c15n)),
  ];
}

/** Row `n` with NULL in each column that may hold it, by the bits of `nulls`. */
function rowOf(n: number, nulls: number): WireValue[] {
  const mayBeNull = ({ role }: SourceColumn): boolean => role !== 'key' && role !== 'hash';
  return valuesOf(n).map((value, at) => (mayBeNull(COLUMNS[at]!) && (nulls >> at) % 2 === 1 ? null : value));
}

function decoded(rows: readonly (readonly WireValue[])[], columns = COLUMNS): DecodedBatch {
  const [batch] = decodePieces(columns, [copyStream(rows)]);
  return batch!;
}

/** All that a batch holds: its keys, event time and features, its segments and its hashes. */
function contents(batch: DecodedBatch): unknown[][] {
  const passed = [...batch.segments, ...(batch.hash === null ? [] : [batch.hash])];
  return plainRows(batch).map((row, at) => [...row, ...passed.map((column) => bytesOf(column, at))]);
}

function bytesOf(column: Data<Binary>, row: number): string | null {
  if (!column.getValid(row)) return null;
  return Buffer.from(column.values.subarray(column.valueOffsets[row], column.valueOffsets[row + 1])).toString('hex');
}

describe('rows that are taken are those of the batch', () => {
  test('in a column of each type, whatever is NULL and whichever rows are taken', () => {
    const someRows = fc
      .array(fc.nat(2 ** COLUMNS.length - 1), { minLength: 1, maxLength: 40 })
      .chain((nulls) => fc.record({ nulls: fc.constant(nulls), taken: fc.subarray([...nulls.keys()]) }));
    const holds = ({ nulls, taken }: { nulls: number[]; taken: number[] }): void => {
      const batch = decoded(nulls.map((columns, n) => rowOf(n, columns)));
      const all = contents(batch);
      const some = takeRows(batch, taken);
      expect(some.rows).toBe(taken.length);
      expect(contents(some)).toEqual(taken.map((row) => all[row]));
      expect(some.batch.schema.fields.map(({ name, type }) => [name, String(type)])).toEqual(
        batch.batch.schema.fields.map(({ name, type }) => [name, String(type)]),
      );
      expect(contents(batch)).toEqual(all);
    };
    fc.assert(fc.property(someRows, holds), { numRuns: 100 });
  });

  test('of a batch that is larger than the room that a column begins with', () => {
    const rows = Array.from({ length: 1000 }, (_, n) => rowOf(n, n % 11 === 0 ? 0xffff : 0));
    const batch = decoded(rows);
    const all = contents(batch);
    const taken = [...rows.keys()].filter((n) => n % 3 === 0);
    expect(contents(takeRows(batch, taken))).toEqual(taken.map((row) => all[row]));
  });

  test('in the order in which they are asked for', () => {
    const batch = decoded([rowOf(0, 0), rowOf(1, 0xffff), rowOf(2, 0)]);
    const [first, second, third] = contents(batch);
    expect(contents(takeRows(batch, [2, 0, 1]))).toEqual([third, first, second]);
  });

  test('from rows that were taken', () => {
    const batch = decoded([0, 0xffff, 0b1010_1010, 0].map((nulls, n) => rowOf(n, nulls)));
    const [, second, , fourth] = contents(batch);
    expect(contents(takeRows(takeRows(batch, [1, 2, 3]), [0, 2]))).toEqual([second, fourth]);
  });
});

test('bad rows keep their errors, at the places that they are at now', () => {
  const columns = [key('id'), feature('v', '_float8', 2), feature('n', 'numeric')];
  const good = array(FLOAT8_OID, [float8(1), float8(2)]);
  const short = array(FLOAT8_OID, [float8(1)]);
  const huge = numericWire(`1${'0'.repeat(400)}`);
  const rows: WireValue[][] = [
    [int8(0n), short, numericWire('0')],
    [int8(1n), good, numericWire('1')],
    [int8(2n), good, huge],
    [int8(3n), good, numericWire('3')],
    [int8(4n), short, numericWire('4')],
  ];
  const some = takeRows(decoded(rows, columns), [1, 2, 4]);
  expect([...some.badRows]).toEqual([
    [1, expect.objectContaining({ code: 'out_of_range', feature: 'n' })],
    [2, expect.objectContaining({ code: 'wrong_length', feature: 'v' })],
  ]);
  expect(plainRows(some).map((row) => row.slice(1))).toEqual([
    [[1, 2], 1],
    [[1, 2], null],
    [null, 4],
  ]);
});

test('a batch without event time, segments, hash or features has none of them in the rows that are taken', () => {
  const batch = decoded([[int8(1n)], [int8(2n)]], [key('id')]);
  const some = takeRows(batch, [1]);
  expect(some).toMatchObject({ rows: 1, eventTime: null, segments: [], hash: null });
  expect(plainRows(some)).toEqual([['0000000000000002']]);
});
