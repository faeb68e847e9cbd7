import { describe, expect, test } from '@jest/globals';
import {
  array,
  copyStream,
  decodePieces,
  feature,
  float8,
  int4,
  int8,
  key,
  plainRows,
  text,
  vector,
} from '../support/copy-stream.ts';
import { numericSpecial, numericWire } from '../support/numeric-wire.ts';

const FLOAT8_OID = 701;

describe('a row that cannot be scored does not stop the others', () => {
  const vectorColumn = feature('v', '_float8', 2);
  const good = array(FLOAT8_OID, [float8(1), float8(2)]);

  test.each<[string, Buffer, string]>([
    ['a short array', array(FLOAT8_OID, [float8(1)]), 'wrong_length'],
    ['a long array', array(FLOAT8_OID, [float8(1), float8(2), float8(3)]), 'wrong_length'],
    ['an empty array', array(FLOAT8_OID, []), 'wrong_length'],
    ['an array of two dimensions', array(FLOAT8_OID, [float8(1), float8(2)], [1, 2]), 'wrong_length'],
    ['a NULL among the elements', array(FLOAT8_OID, [float8(1), null]), 'null_feature'],
  ])('%s', (_, bad, code) => {
    const rows = [good, bad, good].map((value, row) => [int8(BigInt(row)), value, int4(row)]);
    const [batch] = decodePieces([key('id'), vectorColumn, feature('x', 'int4')], [copyStream(rows)]);
    expect([...batch!.badRows]).toEqual([[1, expect.objectContaining({ code, feature: 'v' })]]);
    expect(plainRows(batch!).map((row) => row.slice(1))).toEqual([
      [[1, 2], 0],
      [null, 1],
      [[1, 2], 2],
    ]);
  });

  test('arrays of any length, of steps and of texts', () => {
    const [INT4_OID, TEXT_OID] = [23, 25];
    const ids = (...values: number[]) => array(INT4_OID, values.map(int4));
    const columns = [
      feature('ids', '_int4', 0),
      { ...feature('steps', '_float8', 0), shape: [null, 2] },
      feature('words', '_text', 2),
    ];
    const steps = (count: number, width: number) =>
      array(
        FLOAT8_OID,
        Array.from({ length: count * width }, (_, at) => float8(at)),
        [count, width],
      );
    const words = (...values: (string | null)[]) =>
      array(
        TEXT_OID,
        values.map((value) => (value === null ? null : text(value))),
      );
    const stream = copyStream([
      [ids(7), steps(2, 2), words('a', 'b,c')],
      [ids(), steps(2, 2), words('a', 'b')],
      [ids(1, 2), steps(2, 3), words('a', 'b')],
      [array(INT4_OID, [int4(5), null]), steps(1, 2), words('a', 'b')],
      [ids(...Array.from({ length: 40 }, (_, at) => at)), steps(3, 2), words('ä', '')],
      [ids(1), steps(1, 2), words('a', null)],
    ]);
    for (let cut = 0; cut <= stream.length; cut += 7) {
      const [batch] = decodePieces(columns, [stream.subarray(0, cut), stream.subarray(cut)]);
      expect([...batch!.badRows].map(([row, { code, feature: name }]) => [row, code, name])).toEqual([
        [1, 'wrong_length', 'ids'],
        [2, 'wrong_length', 'steps'],
        [3, 'null_feature', 'ids'],
        [5, 'null_feature', 'words'],
      ]);
      const rows = plainRows(batch!);
      expect(rows[0]).toEqual([[7], [0, 1, 2, 3], ['a', 'b,c']]);
      expect(rows[4]).toEqual([Array.from({ length: 40 }, (_, at) => at), [0, 1, 2, 3, 4, 5], ['ä', '']]);
    }
  });

  test('a vector of another length', () => {
    const [batch] = decodePieces([feature('v', 'vector', 2)], [copyStream([[vector([1])], [vector([1, 2])]])]);
    expect(batch!.badRows.get(0)).toEqual({
      code: 'wrong_length',
      message: 'v has 1 elements, the model takes 2',
      feature: 'v',
    });
    expect(plainRows(batch!)).toEqual([[null], [[1, 2]]]);
  });

  test('a numeric that no double holds, but not an infinity that is one', () => {
    const huge = numericWire(`1${'0'.repeat(400)}`);
    const infinity = numericSpecial(0xd000);
    const [batch] = decodePieces([feature('n', 'numeric')], [copyStream([[huge], [infinity], [numericWire('1.5')]])]);
    expect([...batch!.badRows]).toEqual([[0, expect.objectContaining({ code: 'out_of_range', feature: 'n' })]]);
    expect(plainRows(batch!).slice(1)).toEqual([[Infinity], [1.5]]);
  });

  test('a text past the limit, wherever the stream is cut', () => {
    const columns = [key('id'), feature('t', 'text'), feature('x', 'int4')];
    const bytes = copyStream([
      [int8(1n), text('long'.repeat(20)), int4(1)],
      [int8(2n), text('short'), int4(2)],
    ]);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const batches = decodePieces(columns, [bytes.subarray(0, cut), bytes.subarray(cut)], { rows: 8, bytes: 50 });
      expect(batches.flatMap(plainRows).map((row) => row.slice(1))).toEqual([
        [null, 1],
        ['short', 2],
      ]);
      expect(batches[0]!.badRows.get(0)).toMatchObject({ code: 'value_too_large', feature: 't' });
    }
  });

  test('the first of two reasons is told', () => {
    const columns = [feature('v', 'vector', 2), feature('w', 'vector', 2)];
    const [batch] = decodePieces(columns, [copyStream([[vector([1]), vector([1])]])]);
    expect([...batch!.badRows].map(([row, { feature: name }]) => [row, name])).toEqual([[0, 'v']]);
  });
});
