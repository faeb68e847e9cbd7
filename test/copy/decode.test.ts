import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BatchLimits, SourceColumn } from '../../src/copy/source-column.ts';
import { CopyDecoder } from '../../src/copy/decode.ts';
import { HEADER, SIGNATURE, TRAILER } from '../../src/copy/format.ts';
import { PgscoreError } from '../../src/errors.ts';
import { viewed } from '../../src/lib/bytes.ts';
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
  tuple,
  vector,
  type WireValue,
} from '../support/copy-stream.ts';

const FLOAT4_OID = 700;
const FLOAT8_OID = 701;

const COLUMNS: SourceColumn[] = [
  key('id'),
  { name: 'at', role: 'event_time' },
  feature('flag', 'bool'),
  feature('small', 'int2'),
  feature('whole', 'int4'),
  feature('real', 'float4'),
  feature('large', 'int8'),
  feature('double', 'float8'),
  feature('word', 'text'),
  feature('reals', '_float4', 2),
  feature('doubles', '_float8', 2),
  feature('embedding', 'vector', 3),
];

const ROWS: WireValue[][] = [
  [
    int8(1n),
    int8(7n),
    bool(true),
    int2(-2),
    int4(-70_000),
    float4(1.5),
    int8(2n ** 53n + 1n),
    float8(0.1),
    text('zwölf 🦊'),
    array(FLOAT4_OID, [float4(1), float4(-2)]),
    array(FLOAT8_OID, [float8(0.1), float8(Number.POSITIVE_INFINITY)]),
    vector([1, 2, 3]),
  ],
  COLUMNS.map(() => null),
  [
    int8(-(2n ** 63n)),
    null,
    bool(false),
    int2(32_767),
    null,
    float4(Number.NaN),
    null,
    float8(-0),
    text(''),
    null,
    array(FLOAT8_OID, [float8(Number.NaN), float8(5e-324)]),
    null,
  ],
];

const EXPECTED = [
  [
    '0000000000000001',
    '0000000000000007',
    1,
    -2,
    -70_000,
    1.5,
    2n ** 53n + 1n,
    0.1,
    'zwölf 🦊',
    [1, -2],
    [0.1, Number.POSITIVE_INFINITY],
    [1, 2, 3],
  ],
  COLUMNS.map(() => null),
  ['8000000000000000', null, 0, 32_767, null, Number.NaN, null, -0, '', null, [Number.NaN, 5e-324], null],
];

const stream = copyStream(ROWS);

function decode(columns: SourceColumn[], pieces: Buffer[], limits?: BatchLimits): unknown[][] {
  return decodePieces(columns, pieces, limits).flatMap(plainRows);
}

function failure(columns: SourceColumn[], bytes: Buffer): unknown {
  try {
    decode(columns, [bytes]);
  } catch (error) {
    return error;
  }
  return undefined;
}

/** What a stream of one integer column, with these bytes after its header, is refused for. */
function refusal(...parts: Buffer[]): string {
  const error = failure([feature('x', 'int4')], Buffer.concat([HEADER, ...parts]));
  expect(error).toBeInstanceOf(PgscoreError);
  expect(error).toMatchObject({ code: 'copy_protocol' });
  return (error as PgscoreError).message;
}

describe('a stream is read the same wherever it is cut', () => {
  test('whole', () => {
    expect(decode(COLUMNS, [stream])).toEqual(EXPECTED);
  });

  test('in two at any byte', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      expect(decode(COLUMNS, [stream.subarray(0, cut), stream.subarray(cut)])).toEqual(EXPECTED);
    }
  });

  test('into single bytes', () => {
    expect(
      decode(
        COLUMNS,
        Array.from(stream, (byte) => Buffer.from([byte])),
      ),
    ).toEqual(EXPECTED);
  });

  test('into any pieces, whose memory is used again at once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sizes) => {
        const decoder = new CopyDecoder(COLUMNS, { rows: 2, bytes: 1 << 20 });
        const memory = viewed(Buffer.alloc(100));
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = Math.min(sizes[turn % sizes.length]!, stream.length - at);
          stream.copy(memory.bytes, 5, at, at + size);
          decoder.push(memory, 5, 5 + size);
          memory.bytes.fill(0xee);
          at += size;
        }
        decoder.finish();
        expect([decoder.take()!, decoder.take()!].flatMap(plainRows)).toEqual(EXPECTED);
      }),
    );
  });
});

describe('batches', () => {
  const id = (row: number) => [int4(row)];
  const rows = Array.from({ length: 10 }, (_, row) => id(row));

  test('hold the rows asked for, the last one what is left', () => {
    const batches = decodePieces([feature('x', 'int4')], [copyStream(rows)], { rows: 4, bytes: 1000 });
    expect(batches.map((batch) => batch.rows)).toEqual([4, 4, 2]);
    expect(batches.flatMap(plainRows).flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('end early where their values are large', () => {
    const long = rows.map(() => [text('x'.repeat(300))]);
    const batches = decodePieces([feature('x', 'text')], [copyStream(long)], { rows: 100, bytes: 1000 });
    expect(batches.map((batch) => batch.rows)).toEqual([4, 4, 2]);
  });

  test('of wide vectors have fewer rows', () => {
    const wide = rows.map(() => [vector(Array.from({ length: 50 }, () => 1))]);
    const batches = decodePieces([feature('x', 'vector', 50)], [copyStream(wide)], { rows: 100, bytes: 1000 });
    expect(batches.map((batch) => batch.rows)).toEqual([2, 2, 2, 2, 2]);
  });

  test('do not come of a source without rows', () => {
    expect(decodePieces(COLUMNS, [copyStream([])])).toEqual([]);
  });

  test('keep their values when the next one is read', () => {
    const [first, second] = decodePieces(COLUMNS, [copyStream([...ROWS, ...ROWS])], { rows: 3, bytes: 1 << 20 });
    expect(plainRows(second!)).toEqual(EXPECTED);
    expect(plainRows(first!)).toEqual(EXPECTED);
  });
});

describe('the header', () => {
  const one = [tuple([int4(1)]), TRAILER];

  test('may have an extension, which is passed over', () => {
    const header = Buffer.concat([SIGNATURE, int4(1), int4(5), Buffer.from('extra')]);
    expect(decode([feature('x', 'int4')], [Buffer.concat([header, ...one])])).toEqual([[1]]);
  });

  test('is refused with a flag that changes the format', () => {
    const header = Buffer.concat([SIGNATURE, int4(0x10000), int4(0)]);
    expect(failure([feature('x', 'int4')], Buffer.concat([header, ...one]))).toMatchObject({ code: 'copy_protocol' });
  });

  test('is refused where it is that of text', () => {
    expect(failure([feature('x', 'int4')], Buffer.from('1\t2\n3\t4\n5\t6\n7\t8\n9\t10\n'))).toMatchObject({
      message: 'the COPY stream cannot be read: it is not binary COPY',
    });
  });
});

describe('a damaged stream is refused', () => {
  test('without its end', () => {
    expect(refusal(tuple([int4(1)]))).toMatch('ends early, after 1 whole rows');
    expect(refusal(tuple([int4(1)]), int2(1), int4(4))).toMatch('ends early, after 1 whole rows');
  });

  test('with more after its end', () => {
    expect(refusal(TRAILER, tuple([int4(1)]))).toMatch('bytes follow its end');
  });

  test('with other columns than those asked for', () => {
    expect(refusal(tuple([int4(1)]), tuple([int4(1), int4(2)]))).toMatch('row 2 has 2 columns, not 1');
    expect(refusal(tuple([]))).toMatch('row 1 has 0 columns, not 1');
    expect(refusal(int2(-2))).toMatch('row 1 has -2 columns, not 1');
  });

  test.each<[string, SourceColumn, WireValue]>([
    ['integer', feature('x', 'int4'), int8(1n)],
    ['bigint', feature('x', 'int8'), int4(1)],
    ['smallint', feature('x', 'int2'), int4(1)],
    ['boolean', feature('x', 'bool'), int4(1)],
    ['numeric', feature('x', 'numeric'), int4(1)],
    ['array', feature('x', '_float4', 1), int4(1)],
    ['array that is cut off', feature('x', '_float4', 1), array(FLOAT4_OID, [float4(1)]).subarray(0, -1)],
    ['array with more behind', feature('x', '_float4', 1), Buffer.concat([array(FLOAT4_OID, [float4(1)]), int4(0)])],
    ['array of another type', feature('x', '_float4', 1), array(23, [int4(1)])],
    ['vector', feature('x', 'vector', 3), vector([1, 2, 3]).subarray(0, -1)],
  ])('with a value that is no %s', (_, column, value) => {
    expect(failure([column], copyStream([[value]]))).toMatchObject({ code: 'copy_protocol' });
  });

  test.each([
    ['of -2 bytes', int4(-2)],
    ['above 1 GiB', int4(2 ** 30 + 1)],
    ['of 4 GiB less one', int4(-1 - 0x7fffffff)],
  ])('with a value %s', (_, length) => {
    for (const column of [key('x'), feature('x', 'text'), feature('x', 'int4'), feature('x', 'float8')]) {
      const bytes = Buffer.concat([HEADER, int2(1), length, Buffer.alloc(100)]);
      expect(failure([column], bytes)).toMatchObject({ code: 'copy_protocol' });
    }
  });
});

test('a key past the limit is refused, because its prediction could not be written', () => {
  expect(() => decodePieces([key('id')], [copyStream([[text('k'.repeat(60))]])], { rows: 8, bytes: 50 })).toThrow(
    'too long for a key',
  );
});

test('a value that arrives over many pieces is copied a few times at most', () => {
  const size = 4 * 1024 * 1024;
  const bytes = copyStream([[text('x'.repeat(size))]]);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 512) }, (_, turn) =>
    bytes.subarray(turn * 512, (turn + 1) * 512),
  );
  const [batch] = decodePieces([feature('t', 'text')], pieces);
  expect((plainRows(batch!)[0]![0] as string).length).toBe(size);
});
