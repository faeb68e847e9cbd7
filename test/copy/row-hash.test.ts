import { expect, test } from '@jest/globals';
import { Binary, type Data, Field, Float32, Float64, Int32, List, makeData, Utf8 } from 'apache-arrow';

import { RowHasher } from '../../src/copy/row-hash.ts';
import type { DecodedBatch } from '../../src/copy/batch.ts';
import { recordBatch } from '../../src/inference/record-batch.ts';

const SEED = '00112233445566778899aabbccddeeff';

function batchOf(columns: readonly Data[], rows: number, keys: readonly Data<Binary>[] = []): DecodedBatch {
  const names = columns.map((_, index) => `f${index}`);
  const batch = recordBatch(names, columns, rows);
  return { rows, batch, keys, eventTime: null, segments: [], splits: [], hash: null, badRows: new Map() };
}

function hashesOf(columns: readonly Data[], rows: number, keys: readonly Data<Binary>[] = []): string[] {
  const { low, high } = new RowHasher(SEED).of(batchOf(columns, rows, keys));
  return Array.from(low, (word, row) => `${word}/${high[row]}`);
}

function ints(values: readonly number[]): Data {
  return makeData({ type: new Int32(), length: values.length, data: Int32Array.from(values) });
}

function floats(values: readonly number[]): Data {
  return makeData({ type: new Float32(), length: values.length, data: Float32Array.from(values) });
}

function texts(values: readonly string[]): Data<Utf8> {
  const bytes = values.map((value) => Buffer.from(value));
  const valueOffsets = Int32Array.from([0, ...bytes.map((_, at) => Buffer.concat(bytes.slice(0, at + 1)).length)]);
  return makeData({ type: new Utf8(), length: values.length, valueOffsets, data: Buffer.concat(bytes) });
}

function distinct(hashes: readonly string[]): number {
  return new Set(hashes).size;
}

test('rows that differ in few bits of some columns have hashes of their own', () => {
  const rows = 65_536;
  const row = Array.from({ length: rows }, (_, index) => index);
  const flips = Array.from({ length: 16 }, (_, bit) => floats(row.map((at) => ((at >> bit) & 1 ? -1.5 : 1.5))));
  expect(distinct(hashesOf(flips, rows))).toBe(rows);
  expect(distinct(hashesOf([ints(row.map((at) => at >> 8)), ints(row.map((at) => at & 255))], rows))).toBe(rows);
  expect(distinct(hashesOf([ints(row.map((at) => at << 16)), ints(row.map((at) => at << 8))], rows))).toBe(rows);
  const doubles = makeData({ type: new Float64(), length: rows, data: Float64Array.from(row, (at) => at * 2 ** -40) });
  expect(distinct(hashesOf([doubles], rows))).toBe(rows);
});

test('half of the bits turn over where one bit of a row does', () => {
  const base = Array.from({ length: 1000 }, (_, index) => Math.imul(index, 2_654_435_761));
  const turned = (column: number, bit: number): number => {
    const columns = [base, base.toReversed(), base].map((values, at) =>
      ints(at === column ? values.map((value) => value ^ (1 << bit)) : values),
    );
    const [one, other] = [
      new RowHasher(SEED).of(batchOf([base, base.toReversed(), base].map(ints), 1000)),
      new RowHasher(SEED).of(batchOf(columns, 1000)),
    ];
    let bits = 0;
    for (let row = 0; row < 1000; row += 1)
      for (const lane of ['low', 'high'] as const) {
        const difference = ((one[lane][row] ?? 0) ^ (other[lane][row] ?? 0)) >>> 0;
        bits += difference.toString(2).replaceAll('0', '').length;
      }
    return bits / 64_000;
  };
  for (const column of [0, 1, 2])
    for (const bit of [0, 1, 15, 30, 31]) {
      expect(turned(column, bit)).toBeGreaterThan(0.45);
      expect(turned(column, bit)).toBeLessThan(0.55);
    }
});

test('NULL, 0, -0 and NaN differ, and so do texts that end elsewhere, whatever batch a row is in', () => {
  const nullable = makeData({
    type: new Float32(),
    length: 4,
    data: Float32Array.of(0, 0, -0, Number.NaN),
    nullCount: 1,
    nullBitmap: Uint8Array.of(0b1110),
  });
  const hashes = hashesOf([nullable], 4);
  expect(distinct(hashes)).toBe(4);
  expect(hashes.slice(1)).toEqual(hashesOf([floats([0, -0, Number.NaN])], 3));
  expect(distinct(hashesOf([texts(['ab', 'a', '']), texts(['c', 'bc', 'abc'])], 3))).toBe(3);
  expect(distinct(hashesOf([texts(['a', 'a\0', 'abcd', 'abcd\0'])], 4))).toBe(4);
});

function lists(child: Data, lengths: readonly number[]): Data {
  const valueOffsets = Int32Array.from([
    0,
    ...lengths.map((_, at) => lengths.slice(0, at + 1).reduce((a, b) => a + b)),
  ]);
  const type = new List(new Field('item', child.type, false));
  return makeData({ type, length: lengths.length, valueOffsets, child });
}

test('an array of any length counts with its length and each element, whatever arrays are in the rows beside it', () => {
  const one = (child: Data): string[] => hashesOf([lists(child, [child.length])], 1);
  const of = (child: Data, lengths: readonly number[]): string[] => hashesOf([lists(child, lengths)], lengths.length);
  expect(of(ints([1, 2, 1, 2, 3]), [2, 3])).toEqual([...one(ints([1, 2])), ...one(ints([1, 2, 3]))]);
  expect(distinct(of(ints([1, 2, 3, 1, 2, 4, 1, 2, 2, 1]), [3, 3, 2, 2]))).toBe(4);
  expect(distinct(of(texts(['ab', 'c', 'a', 'bc', 'abc', '']), [2, 2, 2]))).toBe(3);
  expect(of(texts(['ab', 'c', 'd']), [2, 1])).toEqual([...one(texts(['ab', 'c'])), ...one(texts(['d']))]);
  const two = (first: readonly number[], second: readonly number[]): string[] =>
    hashesOf([lists(ints(first), [first.length]), lists(ints(second), [second.length])], 1);
  expect(two([1, 2], [3])).not.toEqual(two([1], [2, 3]));
});

test('a row has another hash under another key or seed', () => {
  const key = (byte: number): Data<Binary> =>
    makeData({ type: new Binary(), length: 1, valueOffsets: Int32Array.of(0, 1), data: Uint8Array.of(byte) });
  const one = hashesOf([ints([7])], 1, [key(1)]);
  expect(hashesOf([ints([7])], 1, [key(2)])).not.toEqual(one);
  expect(hashesOf([ints([7])], 1, [key(1)])).toEqual(one);
  const { low } = new RowHasher('10112233445566778899aabbccddeeff').of(batchOf([ints([7])], 1, [key(1)]));
  expect(one[0]?.startsWith(`${low[0]}/`)).toBe(false);
});
