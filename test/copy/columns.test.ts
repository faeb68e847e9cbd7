import { Binary, Float32, Float64, Int64, Uint8, Utf8, makeVector } from 'apache-arrow';
import { describe, expect, test } from '@jest/globals';
import { BytesColumn, ListColumn, NumberColumn } from '../../src/copy/columns.ts';
import { recordBatch } from '../../src/inference/record-batch.ts';
import { viewed } from '../../src/lib/bytes.ts';

describe('a number column', () => {
  test('is what was written, with its NULLs', () => {
    const column = new NumberColumn(new Float64());
    column.begin(20);
    column.values[0] = 1.5;
    column.setNull(1);
    column.values[17] = -2;
    column.setNull(18);
    column.setNull(18);
    const data = column.finish(19);
    expect(data.nullCount).toBe(2);
    expect([...makeVector(data)]).toEqual([1.5, null, ...Array.from({ length: 15 }, () => 0), -2, null]);
  });

  test('hands its arrays over, so that the next batch has its own', () => {
    const column = new NumberColumn(new Int64());
    column.begin(2);
    column.values[0] = 5n;
    column.setNull(1);
    const first = column.finish(2);
    column.begin(2);
    column.values[0] = 6n;
    const second = column.finish(2);
    expect([...makeVector(first)]).toEqual([5n, null]);
    expect([...makeVector(second)]).toEqual([6n, 0n]);
    expect(second.nullCount).toBe(0);
  });

  test('keeps what was written when it grows', () => {
    const column = new NumberColumn(new Int64());
    column.begin(2);
    column.values[0] = 5n;
    column.setNull(1);
    column.grow(300);
    column.setNull(290);
    column.values[299] = 7n;
    const values = [...makeVector(column.finish(300))];
    expect([values[0], values[1], values[2], values[290], values[299]]).toEqual([5n, null, 0n, null, 7n]);
  });

  test('of single bytes can have any length', () => {
    const column = new NumberColumn(new Uint8());
    column.begin(7);
    column.values[6] = 1;
    expect([...makeVector(column.finish(7))]).toEqual([0, 0, 0, 0, 0, 0, 1]);
  });
});

describe('a column of bytes', () => {
  const source = viewed(Buffer.from('zero one two and a text that is long '.repeat(20)));

  test('grows as it must', () => {
    const column = new BytesColumn(new Utf8());
    column.begin(4);
    column.append(0, source, 0, 4);
    column.append(1, source, 5, source.bytes.length - 5);
    column.append(2, source, 5, 0);
    column.setNull(3);
    const values = [...makeVector(column.finish(4))];
    expect(values).toEqual(['zero', Buffer.from(source.bytes).toString('utf8', 5), '', null]);
  });

  test('copies every length', () => {
    const column = new BytesColumn(new Binary());
    column.begin(200);
    for (let length = 0; length < 200; length += 1) column.append(length, source, 3, length);
    const values = [...makeVector(column.finish(200))];
    values.forEach((value, length) =>
      expect(Buffer.from(value!)).toEqual(Buffer.from(source.bytes.subarray(3, 3 + length))),
    );
  });
});

test('a column of vectors is a matrix with a row for each', () => {
  const column = new ListColumn(new Float32(), 2);
  column.begin(3);
  column.elements.values.set([1, 2, 0, 0, 5, 6]);
  column.setNull(1);
  const data = column.finish(3);
  expect(data.children[0]!.values).toEqual(Float32Array.of(1, 2, 0, 0, 5, 6));
  expect([...makeVector(data)].map((row) => row && [...row])).toEqual([[1, 2], null, [5, 6]]);
});

test('a record batch shares the memory of its columns', () => {
  const column = new NumberColumn(new Float32());
  column.begin(4);
  const { values } = column;
  const batch = recordBatch(['x'], [column.finish(3)], 3);
  values[2] = 2.5;
  expect(batch.numRows).toBe(3);
  expect(batch.getChild('x')?.get(2)).toBe(2.5);
  expect(batch.data.children[0]!.values.buffer).toBe(values.buffer);
});

test('a record batch may have no columns', () => {
  expect(recordBatch([], [], 3).numRows).toBe(3);
});
